//! Whether the content of a folder can be trusted, and the remedy if not.

use std::path::Path;

use rustix::fs::RawMode;

/// Why the content of a folder of ours is not trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    #[error("belongs to user {owner}, and Terraform runs as user {user}")]
    Owner { owner: u32, user: u32 },
    #[error("can be written by other users (mode {mode:04o})")]
    Writable { mode: RawMode },
    #[error("is a link")]
    Link,
    #[error("is not a folder")]
    NoFolder,
    #[error("is not a regular file")]
    NoFile,
}

impl Distrust {
    pub(super) fn remedy(self, path: &Path) -> String {
        let path = path.display();
        let what = match self {
            Self::Owner { user, .. } => format!(
                "Run Terraform as its owner. If you trust everything in it, take its ownership \
                 with `chown -R {user} '{path}'`. If not, remove it or"
            ),
            // Such a folder is shared by all users.
            Self::Writable { mode } if mode & 0o1000 != 0 => {
                return "Set your own folder in the provider's `local`.".to_owned();
            }
            Self::Writable { .. } => format!(
                "If nobody else has written to it, remove the write permission of others with \
                 `chmod -R go-w '{path}'`. If someone may have, or if its file system has no \
                 modes, remove it or"
            ),
            Self::Link => {
                "Only `data_dir` and `cache_dir` themselves may be links. Remove it, or".to_owned()
            }
            Self::NoFolder | Self::NoFile => "Remove it, or".to_owned(),
        };
        format!("{what} set another folder in the provider's `local`.")
    }
}
