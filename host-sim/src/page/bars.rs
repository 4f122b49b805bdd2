//! Bars whose length is a share of a cell: HTML, so that their labels keep their size on every screen.

/// A bar of `share` hundredths, with a class for its colour. It repeats a number that stands beside it, so readers of the page skip it.
pub fn bar(share: f64, class: &str) -> String {
    if share <= 0.0 {
        return String::new();
    }
    let width = share.min(100.0);
    format!("<span class=\"bar {class}\" aria-hidden=\"true\"><span style=\"width:{width:.2}%\"></span></span>")
}
