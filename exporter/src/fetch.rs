//! Gets a public corpus and checks that it is the one that figures refer to.

use crate::checkpoint::write_whole;
use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::path::Path;

/// A corpus that can be fetched.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    /// Its name on the command line.
    pub name: &'static str,
    /// Where it is published.
    pub url: &'static str,
    /// SHA-256 of the file, lower-case hexadecimal.
    pub sha256: &'static str,
    /// Its length.
    pub bytes: u64,
}

/// What `exporter fetch` knows.
pub const SOURCES: [Source; 1] = [Source {
    name: "tiny-shakespeare",
    url: "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
    sha256: "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    bytes: 1_115_394,
}];

/// Downloads `source`, or takes it from a local file, checks it, and writes it to `out`.
///
/// # Errors
/// The download fails, or the checksum is another one; nothing is written then.
pub fn fetch(source: &Source, from: Option<&Path>, out: &Path) -> Result<()> {
    let bytes = match from {
        Some(path) => std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?,
        None => {
            let response = ureq::get(source.url).call();
            let mut response =
                response.with_context(|| format!("cannot download {}; give a local copy with --from", source.url))?;
            response.body_mut().with_config().limit(2 * source.bytes).read_to_vec().context("the download broke off")?
        }
    };
    let found = hexadecimal(&Sha256::digest(&bytes));
    if found != source.sha256 {
        bail!("this is not {}: SHA-256 {found}, wanted {}", source.name, source.sha256);
    }
    write_whole(out, &bytes)?;
    Ok(())
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_a_file_with_another_checksum_and_writes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (from, out) = (folder.path().join("from"), folder.path().join("out"));
        std::fs::write(&from, "not Shakespeare").unwrap();
        let error = fetch(&SOURCES[0], Some(&from), &out).unwrap_err().to_string();
        assert!(error.starts_with("this is not tiny-shakespeare"), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
