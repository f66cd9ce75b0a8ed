//! The content of a report about a run, collected from the SuperLink and the log.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::federation::KnownNodes;
use super::model::Model;
use super::outputs::{self, RoundOutput};
use super::report_files::ReportFiles;
use super::run_log::RunLog;
use crate::flower::control::{ControlClient, Node, Run, Timestamp};
use crate::flower::progress::Progress;
use crate::flower::run_config::ConfigValue;
use crate::report::{self as page, Report};
use crate::resources::Configured;
use crate::resources::connection_attributes::ControlInput;
use crate::tfplugin::Call;

/// How many lines of the log a report shows.
pub(super) const LOG_LINES: usize = 200;

/// The format of a report.
#[derive(Debug, Clone, Copy)]
enum Format {
    Html,
    Markdown,
}

/// The content of a report.
#[derive(Debug, Clone)]
pub struct RunReport {
    pub(super) run: Run,
    url: String,
    flower_version: Option<String>,
    pub(super) nodes: KnownNodes,
    pub(super) progress: Progress,
    pub(super) log: Vec<String>,
}

impl RunReport {
    /// A report about a run whose log was not read yet.
    pub(super) fn of(control: &ControlInput, run: Run, nodes: KnownNodes) -> Self {
        Self {
            run,
            url: control.url.clone(),
            flower_version: control.flower_version.map(|version| version.to_string()),
            nodes,
            progress: Progress::default(),
            log: Vec::new(),
        }
    }

    /// A report about any run of a SuperLink.
    pub async fn read(
        call: &Call<Configured>,
        client: &ControlClient,
        control: &ControlInput,
        run: Run,
    ) -> Self {
        let mut log = RunLog::with_lines(LOG_LINES);
        log.read_all(client, &run).await;
        let lines = log.lines();
        let progress = log.end_of();
        let nodes = KnownNodes::of(call, client, control, &progress, true).await;
        let mut report = Self::of(control, run, nodes);
        report.log = lines;
        report.progress = progress;
        report
    }

    /// Adds how long the rounds took, as an apply saw it that followed the run: a log that is read
    /// later does not tell.
    pub(super) fn add_times(&mut self, known: &[RoundOutput]) {
        for round in &mut self.progress.rounds {
            let same =
                |one: &&RoundOutput| one.round == round.number && one.strategy == round.strategy;
            let mut found = known.iter().filter(same);
            if let (None, Some(known), None) = (round.seconds, found.next(), found.next()) {
                round.seconds = known.seconds;
            }
        }
    }

    /// The page as HTML.
    pub fn html(&self) -> String {
        self.shown(Format::Html)
    }

    /// The summary as Markdown.
    pub fn markdown(&self) -> String {
        self.shown(Format::Markdown)
    }

    fn shown(&self, format: Format) -> String {
        let run = &self.run;
        let time = |stamp: &Option<Timestamp>| stamp.as_ref().map(|time| time.as_str().to_owned());
        let (pending, running, finished) = (
            time(&run.pending_at),
            time(&run.running_at),
            time(&run.finished_at),
        );
        let configuration: Vec<_> = run
            .override_config
            .iter()
            .map(|(name, value)| (name.clone(), text(value)))
            .collect();
        let nodes: Vec<_> = self
            .nodes
            .listed
            .iter()
            .map(|node| self.node(node))
            .collect();
        // The time of its end, so that the report of a finished run always has the same text.
        let written_at = finished.clone().unwrap_or_else(now);
        let id = run.id.to_string();
        let details = outputs::details(run);
        let report = Report {
            run: page::Run {
                id: &id,
                status: run.status.as_str(),
                sub_status: Some(run.sub_status.as_str()).filter(|word| !word.is_empty()),
                details: &details,
                pending_at: pending.as_deref(),
                running_at: running.as_deref(),
                finished_at: finished.as_deref(),
            },
            superlink: page::SuperLink {
                url: &self.url,
                flower_version: self.flower_version.as_deref(),
            },
            app: page::App {
                name: &run.app_id,
                version: &run.app_version,
                fab_hash: &run.fab_hash,
            },
            configuration: &configuration,
            nodes: &nodes,
            usage: run.usage,
            progress: &self.progress,
            log: &self.log,
            written_by: concat!("terraform-provider-flower ", env!("CARGO_PKG_VERSION")),
            written_at: &written_at,
        };
        match format {
            Format::Html => report.html(),
            Format::Markdown => report.markdown(),
        }
    }

    fn node<'a>(&'a self, node: &'a Node) -> page::Node<'a> {
        let known = self.nodes.names.get(&node.id).map(String::as_str);
        page::Node {
            id: node.id,
            name: node.name.as_deref().or(known),
            location: node.location.as_deref(),
            state: node.status.as_str(),
        }
    }
}

/// The report of a run that an apply follows; rewritten after each round.
pub(super) struct LiveReport<'a> {
    files: Option<&'a ReportFiles>,
    report: Option<RunReport>,
}

impl<'a> LiveReport<'a> {
    /// The report that the configuration of a run asks for, if any.
    pub(super) fn of(model: &'a Model) -> Self {
        Self {
            files: model.report.as_ref(),
            report: None,
        }
    }

    /// Updates the report with the current status of the run.
    pub(super) async fn saw(
        &mut self,
        call: &Call<Configured>,
        client: &ControlClient,
        model: &Model,
        run: &Run,
    ) {
        if self.files.is_none() {
            return;
        }
        if let Some(report) = &mut self.report {
            let is_new = report.run.status != run.status;
            report.run.clone_from(run);
            if is_new {
                let _ = self.files.map(|files| files.write(report));
            }
        } else {
            let nothing = Progress::default();
            let nodes = KnownNodes::of(call, client, &model.control, &nothing, true).await;
            let report = RunReport::of(&model.control, run.clone(), nodes);
            // Written at once, so that a run that waits for its nodes is visible, too.
            let _ = self.files.map(|files| files.write(&report));
            self.report = Some(report);
        }
    }

    /// Writes what the log shows so far. A file that cannot be written is reported at the end.
    pub(super) fn write(&mut self, log: &RunLog) {
        if let (Some(files), Some(report)) = (self.files, &mut self.report) {
            report.progress = log.progress().clone();
            report.log = log.lines();
            let _ = files.write(report);
        }
    }
}

#[cfg(test)]
impl RunReport {
    /// A report about a run without any output.
    pub(super) fn example() -> Self {
        Self {
            run: Run::from_wire(crate::flower::control::fake::run(
                7,
                "finished",
                "completed",
            )),
            url: "https://h:1".to_owned(),
            flower_version: None,
            nodes: KnownNodes::default(),
            progress: Progress::default(),
            log: Vec::new(),
        }
    }
}

fn now() -> String {
    let now = OffsetDateTime::now_utc().replace_nanosecond(0);
    let now = now.ok().and_then(|now| now.format(&Rfc3339).ok());
    now.unwrap_or_default()
}

fn text(value: &ConfigValue) -> String {
    match value {
        ConfigValue::Bool(value) => value.to_string(),
        ConfigValue::Int(value) => value.to_string(),
        ConfigValue::Float(value) => value.to_string(),
        ConfigValue::Str(value) => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::flower::progress::ProgressReader;

    #[test]
    fn a_page_that_is_written_again_keeps_the_times_of_the_rounds() {
        let mut reader = ProgressReader::default();
        for number in [1, 2] {
            let round = format!(
                "INFO :      [ROUND {number}/2]\nINFO :      configure_train: Sampled 2 nodes (out of 2)\n"
            );
            reader.add(&round, None);
        }
        let mut report = RunReport::example();
        report.progress = reader.end();
        let known = |round: u32, strategy: Option<&str>, seconds: Option<f64>| RoundOutput {
            round,
            strategy: strategy.map(str::to_owned),
            seconds,
            train: None,
            evaluate: None,
            server_metrics: BTreeMap::new(),
        };
        report.add_times(&[
            known(1, None, Some(4.5)),
            known(2, Some("FedAvg"), Some(1.0)),
        ]);
        let times: Vec<_> = report
            .progress
            .rounds
            .iter()
            .map(|one| one.seconds)
            .collect();
        assert_eq!(times, [Some(4.5), None]);
        // Rounds of two strategies with the same number are not told apart.
        report.progress.rounds[0].seconds = None;
        report.add_times(&[known(1, None, Some(1.0)), known(1, None, Some(2.0))]);
        assert_eq!(report.progress.rounds[0].seconds, None);
    }
}
