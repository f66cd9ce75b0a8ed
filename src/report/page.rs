//! The frame of the HTML page: head, headline, key facts, the end of the log and the footer.

use super::federation::pair;
use super::markup::{Out, PARAGRAPH, SENTENCE, block, line, name, note, open_section};
use super::numbers::counted;
use super::summary::{Fact, Headline, facts, headline};
use super::times::{Shown, parse};
use super::{Report, curves, federation, rounds};

const STYLE: &str = include_str!("style.css");
/// How many lines of the log are shown.
const MOST_LINES: usize = 200;
/// How many bytes of the log are shown.
const MOST_LOG: usize = 48 << 10;

/// Writes the page.
pub(super) fn html(report: &Report<'_>) -> String {
    let mut out = Out::with_capacity(64 << 10);
    let headline = headline(report);
    head(&mut out, report, &headline);
    out.push("<body>\n");
    header(&mut out, report, &headline);
    out.push("<main>\n");
    key_facts(&mut out, report);
    federation::section(&mut out, report);
    federation::app_section(&mut out, report);
    rounds::section(&mut out, report);
    curves::section(&mut out, report);
    rounds::failures_section(&mut out, report);
    log(&mut out, report.log);
    out.push("</main>\n");
    footer(&mut out, report);
    out.push("</body>\n</html>\n");
    out.into_string()
}

fn head(out: &mut Out, report: &Report<'_>, headline: &Headline) {
    out.push(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'; img-src data:\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n",
    );
    let (app, id) = (line(report.app.name, 80), line(report.run.id, 40));
    let status = line(&headline.status, 80);
    writeln!(
        out,
        "<title>{status} – {app}, run {id}</title>\n<style>\n{STYLE}</style>\n</head>"
    );
}

fn header(out: &mut Out, report: &Report<'_>, headline: &Headline) {
    let (app, version) = (name(report.app.name), line(report.app.version, 40));
    writeln!(
        out,
        "<header>\n<p class=\"eyebrow\">Flower run <bdi>{}</bdi></p>\n\
         <h1><bdi>{app}</bdi> <span class=\"version\"><bdi>{version}</bdi></span></h1>",
        name(report.run.id)
    );
    writeln!(
        out,
        "<p class=\"status {}\"><span class=\"sign\" aria-hidden=\"true\">{}</span> <strong>{}</strong></p>",
        headline.tone.class(),
        headline.tone.sign(),
        name(&headline.status)
    );
    if let Some(warning) = &headline.warning {
        writeln!(out, "<p class=\"warn\">{}</p>", line(warning, SENTENCE));
    }
    out.push("</header>\n");
}

fn key_facts(out: &mut Out, report: &Report<'_>) {
    open_section(out, "facts", "Key facts");
    let facts = facts(report);
    if !facts.is_empty() {
        out.push("<dl class=\"tiles\">\n");
        for Fact { name, value, more } in facts {
            write!(
                out,
                "<div><dt>{name}</dt><dd>{}</dd>",
                line(&value, SENTENCE)
            );
            if let Some(more) = more {
                write!(out, "<dd class=\"more\">{}</dd>", line(&more, SENTENCE));
            }
            out.push("</div>\n");
        }
        out.push("</dl>\n");
    }
    let run = &report.run;
    out.push("<dl class=\"pairs\">\n");
    pair(out, "Run ID", run.id);
    time(out, "Submitted", run.pending_at);
    time(out, "Began to run", run.running_at);
    time(out, "Ended", run.finished_at);
    if !run.details.is_empty() {
        let details = block(run.details, PARAGRAPH);
        writeln!(
            out,
            "<div class=\"wide\"><dt>Flower's details</dt><dd class=\"details\">{details}</dd></div>"
        );
    }
    out.push("</dl>\n</section>\n");
}

fn time(out: &mut Out, term: &str, at: Option<&str>) {
    let Some(text) = at else {
        pair(out, term, "–");
        return;
    };
    let exact = line(text, 60);
    match parse(text) {
        Some(time) => writeln!(
            out,
            "<div><dt>{term}</dt><dd><time datetime=\"{exact}\">{}</time></dd></div>",
            Shown(time)
        ),
        None => writeln!(out, "<div><dt>{term}</dt><dd>{exact}</dd></div>"),
    }
}

fn log(out: &mut Out, log: &[String]) {
    open_section(out, "log", "End of the log");
    if log.is_empty() {
        note(
            out,
            format_args!("There is no log: the run has not written one, or it is deleted."),
        );
        out.push("</section>\n");
        return;
    }
    // The last lines, as many as there is room for.
    let mut room = MOST_LOG;
    let lines = log.iter().rev().take(MOST_LINES);
    let lines: Vec<_> = lines
        .map(|text| line_of_log(text))
        .take_while(|text| {
            let fits = text.len() < room;
            room = room.saturating_sub(text.len() + 1);
            fits
        })
        .collect();
    let count = counted(lines.len() as u64, "line", "lines");
    note(out, format_args!("The last {count} that the run wrote."));
    out.push("<pre tabindex=\"0\" aria-labelledby=\"log\">");
    for text in lines.iter().rev() {
        writeln!(out, "{text}");
    }
    out.push("</pre>\n</section>\n");
}

/// A line with its indentation, escaped.
fn line_of_log(text: &str) -> String {
    block(&text.replace('\n', " "), SENTENCE).to_string()
}

fn footer(out: &mut Out, report: &Report<'_>) {
    write!(out, "<footer>\n<p>Written by {} ", name(report.written_by));
    let exact = line(report.written_at, 60);
    match parse(report.written_at) {
        Some(time) => {
            write!(out, "on <time datetime=\"{exact}\">{}</time>.", Shown(time));
        }
        None => write!(out, "at {exact}."),
    }
    out.push(
        " Rounds, failures and metrics are read from the log of the run, \
         which its app writes.</p>\n</footer>\n",
    );
}
