//! A whole federation, interrupted at random moments: the next apply completes it, without
//! duplicates.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::federation::federation;
use crate::tenant::Tenant;
use crate::workspace::{Cut, Workspace};

const APPLY: [&str; 3] = ["apply", "-auto-approve", "-no-color"];
const RUNS: &str = r#"
data "flower_runs" "all" {
  control    = flower_superlink.main.control
  depends_on = [flower_app_run.training]
}
output "runs" {
  value = length(data.flower_runs.all.runs)
}
"#;

/// Random moments, the same for the same seed.
struct Moments(u64);

impl Moments {
    /// `FLOWER_TEST_SEED` repeats a run with the seed that it printed.
    fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let seed = std::env::var("FLOWER_TEST_SEED").ok();
        let seed = seed.map_or(now.as_secs(), |seed| seed.parse().unwrap());
        eprintln!("FLOWER_TEST_SEED={seed}");
        Self(seed)
    }

    /// Random milliseconds, up to this many.
    fn next(&mut self, most: u64) -> u64 {
        // Steele, Lea and Flood's splitmix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let moment = 200 + (mixed ^ (mixed >> 31)) % (most - 200);
        eprintln!("cut after {moment} ms");
        moment
    }
}

#[test]
fn a_federation_that_is_cut_anywhere_is_finished_by_the_next_apply() {
    let mut moments = Moments::new();
    for how in [Cut::Interrupt, Cut::Kill] {
        let tenant = Tenant::a();
        let config = |env: &str| {
            let main = federation("", env, "");
            format!("{}{main}{RUNS}", tenant.provider())
        };
        let it = Workspace::new(&config(""));
        it.app();
        it.cut(&APPLY, moments.next(20_000), how);
        it.apply_after_a_kill().succeeded();
        it.plan_is_empty();
        assert_eq!(it.output("runs"), 1, "a run was submitted twice, or lost");
        it.configure(&config("  env = { SITE = \"changed\" }"));
        it.cut(&APPLY, moments.next(8_000), how);
        it.apply_after_a_kill().succeeded();
        it.plan_is_empty();
        assert_eq!(it.output("runs"), 1, "an update ran it again");
        it.cut(
            &["destroy", "-auto-approve", "-no-color"],
            moments.next(6_000),
            how,
        );
        tenant.destroyed(&it);
    }
}
