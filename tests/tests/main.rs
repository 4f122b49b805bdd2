//! Contents page of the integration tests.
