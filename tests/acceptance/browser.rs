//! A page as a browser shows it.

use std::path::Path;
use std::process::Command;

/// What a browser made of a page.
pub struct Page {
    /// The document once it was loaded.
    pub dom: String,
    /// Messages of the console, such as errors and requests that the page's policy refuses.
    pub messages: Vec<String>,
}

/// Opens a file in a headless Chromium that reaches no network.
pub fn open(file: &Path) -> Page {
    let browser = std::env::var("FLOWER_TEST_BROWSER").unwrap_or_else(|_| "chromium".into());
    let profile = tempfile::tempdir().unwrap();
    let shown = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"])
        .args(["--enable-logging=stderr", "--v=0"])
        // What it asked for would be an error on the console.
        .args(["--proxy-server=127.0.0.1:9", "--no-first-run"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("file://{}", file.display()))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&shown.stderr);
    assert!(shown.status.success(), "{said}");
    let is_message = |line: &&str| line.contains("CONSOLE") || line.contains("Content Security");
    Page {
        dom: String::from_utf8(shown.stdout).unwrap(),
        messages: said.lines().filter(is_message).map(str::to_owned).collect(),
    }
}

impl Page {
    /// The values of an attribute, in the order of the document.
    pub fn values(&self, attribute: &str) -> Vec<&str> {
        let mark = format!("{attribute}=\"");
        let parts = self.dom.split(&mark).skip(1);
        parts.map(|rest| rest.split('"').next().unwrap()).collect()
    }
}
