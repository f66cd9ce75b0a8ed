//! A report on a run as one file that a person can keep, print and attach to a ticket, and as
//! Markdown for the summary of a CI job.
//!
//! Terraform shows that a run has finished; whether the model learned, which nodes failed and why
//! stands in a log that nobody reads twice and that the `SuperLink` may delete. The report is pure
//! data in, text out. The HTML has no script and requests nothing, so it opens from a disk without
//! a network. Almost every text in it comes from an app, a node or a log: `markup` and
//! `markdown` are the only ways of such text into a page, and everything has a limit.

mod axis;
mod curves;
mod federation;
mod markdown;
mod markup;
mod numbers;
mod page;
mod plot;
mod points;
mod rounds;
mod series;
mod summary;
mod times;

use crate::flower::control::{NodeId, Usage};
use crate::flower::progress::Progress;

/// The facts about a run that a report shows. Secrets do not belong into any of them: a report is
/// made to be passed on.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    /// The run and how far it is.
    pub run: Run<'a>,
    /// The `SuperLink` of the run.
    pub superlink: SuperLink<'a>,
    /// The Flower app of the run.
    pub app: App<'a>,
    /// The run configuration: keys and values as text. Everyone who can read the report reads them.
    pub configuration: &'a [(String, String)],
    /// The nodes of the federation. Empty means that none is known.
    pub nodes: &'a [Node<'a>],
    /// What the run used. `None` if the release of Flower does not tell.
    pub usage: Option<Usage>,
    /// Rounds, failures and metrics from the log.
    pub progress: &'a Progress,
    /// The last lines of the log, without line ends and colour codes. Empty means that there is
    /// no log.
    pub log: &'a [String],
    /// What writes the report, such as `terraform-provider-flower 1.2.0`.
    pub written_by: &'a str,
    /// When the report is written, in RFC 3339. A run that still runs is as old as this says.
    pub written_at: &'a str,
}

/// A run and how far it is.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// The run ID.
    pub id: &'a str,
    /// `pending`, `starting`, `running`, `finished`, or `lost` for a run that the `SuperLink` does
    /// not list any more. Another word is shown as it is.
    pub status: &'a str,
    /// `completed`, `failed` or `stopped`. `None` for a run that has not ended.
    pub sub_status: Option<&'a str>,
    /// What Flower says about the status. Empty if it says nothing.
    pub details: &'a str,
    /// When the run was submitted, in RFC 3339. `None` if this is not known.
    pub pending_at: Option<&'a str>,
    /// When its `ServerApp` began to run, in RFC 3339. `None` if it did not, or this is not known.
    pub running_at: Option<&'a str>,
    /// When it ended, in RFC 3339. `None` if it did not, or this is not known.
    pub finished_at: Option<&'a str>,
}

/// The `SuperLink` that a run belongs to.
#[derive(Debug, Clone, Copy)]
pub struct SuperLink<'a> {
    /// The URL of its Control API.
    pub url: &'a str,
    /// The release of Flower, such as `1.42.0`. `None` if this is not known.
    pub flower_version: Option<&'a str>,
}

/// A Flower app.
#[derive(Debug, Clone, Copy)]
pub struct App<'a> {
    /// The publisher and name, such as `flwrlabs/quickstart`.
    pub name: &'a str,
    /// The version from its `pyproject.toml`.
    pub version: &'a str,
    /// The SHA-256 hash of the FAB in hexadecimal digits.
    pub fab_hash: &'a str,
}

/// A node of the federation.
#[derive(Debug, Clone, Copy)]
pub struct Node<'a> {
    /// The node ID, by which the log names the node of a failure.
    pub id: NodeId,
    /// The name from the registration. `None` if it has none.
    pub name: Option<&'a str>,
    /// The location from the registration. `None` if it has none.
    pub location: Option<&'a str>,
    /// `online`, `offline`, `registered` or another word of Flower.
    pub state: &'a str,
}

impl Report<'_> {
    /// A whole HTML page in one file, without scripts and without requests.
    pub fn html(&self) -> String {
        page::html(self)
    }

    /// GitHub flavoured Markdown for the summary of a CI job: the last rounds, metrics and
    /// failures.
    pub fn markdown(&self) -> String {
        markdown::markdown(self)
    }
}

#[cfg(test)]
mod tests;
