//! Files that hold one secret, such as a token or a password.

use std::io::{self, Read as _};
use std::path::Path;

use zeroize::Zeroizing;

/// Longer than any token or password: a longer file is something else, and may have no end.
const LONGEST: u64 = 64 << 10;

/// The text of a file. A pipe or a device is refused before it is opened, because reading it might
/// never end.
pub(crate) fn text_of(path: &Path) -> io::Result<Zeroizing<String>> {
    let refused = |why| Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    if !std::fs::metadata(path)?.is_file() {
        return refused("it is not a regular file");
    }
    let mut text = Zeroizing::new(String::new());
    let mut file = std::fs::File::open(path)?.take(LONGEST + 1);
    file.read_to_string(&mut text)?;
    if text.len() as u64 > LONGEST {
        return refused("it is longer than 64 KiB");
    }
    Ok(text)
}
