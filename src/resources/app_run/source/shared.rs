//! Bundles that many runs need at the same time, built once. A plan of a hundred runs of one app
//! would otherwise read its folder, download its archive and pack it a hundred times.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::flower::fab::Fab;

/// How old the first read of a bundle may be. Files can change while an apply runs for hours, and a
/// bundle takes memory.
const RECENT: Duration = Duration::from_secs(15);

/// The bundles that were built a short time ago, by source and release.
#[derive(Debug, Default)]
pub(crate) struct RecentBundles(Mutex<BTreeMap<String, Recent>>);

#[derive(Debug)]
struct Recent {
    began: Instant,
    bundle: Arc<OnceCell<Fab>>,
}

impl RecentBundles {
    /// The place of this bundle. Whoever comes first builds it, and the others wait; a failure is
    /// not kept.
    pub(super) fn of(&self, key: String) -> Arc<OnceCell<Fab>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, recent| recent.began.elapsed() <= RECENT);
        let recent = all.entry(key).or_insert_with(|| Recent {
            began: Instant::now(),
            bundle: Arc::default(),
        });
        Arc::clone(&recent.bundle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_bundle_is_shared_for_a_short_time() {
        let bundles = RecentBundles::default();
        let first = bundles.of("a".to_owned());
        tokio::time::advance(RECENT).await;
        assert!(Arc::ptr_eq(&first, &bundles.of("a".to_owned())));
        assert!(!Arc::ptr_eq(&first, &bundles.of("b".to_owned())));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!Arc::ptr_eq(&first, &bundles.of("a".to_owned())));
        assert_eq!(bundles.0.lock().unwrap().len(), 2);
        tokio::time::advance(RECENT + RECENT).await;
        bundles.of("c".to_owned());
        assert_eq!(bundles.0.lock().unwrap().len(), 1);
    }
}
