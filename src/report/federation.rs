//! The sections on the federation, the app and its configuration.

use super::markup::{CLOSE_TABLE, Out, SENTENCE, line, name, note, open_section, open_table};
use super::numbers::counted;
use super::{Node, Report};

/// How many nodes the table has.
const MOST_NODES: usize = 200;
/// How many values of the configuration the table has.
const MOST_VALUES: usize = 200;

/// Writes the section on the `SuperLink` and the nodes.
pub(super) fn section(out: &mut Out, report: &Report<'_>) {
    open_section(out, "federation", "Federation");
    out.push("<dl class=\"pairs\">\n");
    pair(out, "SuperLink", report.superlink.url);
    pair(
        out,
        "Flower",
        report
            .superlink
            .flower_version
            .unwrap_or("release not known"),
    );
    out.push("</dl>\n");
    if report.nodes.is_empty() {
        note(
            out,
            format_args!("No nodes are known: the SuperLink lists none to this user."),
        );
    } else {
        nodes(out, report.nodes);
    }
    out.push("</section>\n");
}

/// A term and its description.
pub(super) fn pair(out: &mut Out, term: &str, description: &str) {
    let description = line(description, SENTENCE);
    writeln!(out, "<div><dt>{term}</dt><dd>{description}</dd></div>");
}

fn nodes(out: &mut Out, nodes: &[Node<'_>]) {
    open_table(out, "nodes-table", format_args!("Nodes"), "texts");
    out.push("<thead><tr>");
    for heading in ["Node", "Location", "State"] {
        write!(out, "<th scope=\"col\">{heading}</th>");
    }
    out.push("</tr></thead>\n<tbody>\n");
    for node in nodes.iter().take(MOST_NODES) {
        out.push("<tr><th scope=\"row\">");
        if let Some(known) = node.name {
            write!(out, "<bdi>{}</bdi><br>", name(known));
        }
        write!(out, "<span class=\"id\">{}</span></th>", node.id);
        write!(out, "<td>{}</td>", name(node.location.unwrap_or("–")));
        let class = match node.state {
            "online" => " class=\"good\"",
            "offline" | "unregistered" => " class=\"bad\"",
            _ => "",
        };
        writeln!(out, "<td{class}>{}</td></tr>", name(node.state));
    }
    out.push(CLOSE_TABLE);
    let more = nodes.len().saturating_sub(MOST_NODES);
    if more > 0 {
        let more = counted(more as u64, "more node is", "more nodes are");
        note(out, format_args!("{more} not in this table."));
    }
}

/// Writes the section on the app and the run configuration.
pub(super) fn app_section(out: &mut Out, report: &Report<'_>) {
    open_section(out, "app", "App and configuration");
    out.push("<dl class=\"pairs\">\n");
    pair(out, "App", report.app.name);
    pair(out, "Version", report.app.version);
    let hash = line(report.app.fab_hash, SENTENCE);
    writeln!(
        out,
        "<div><dt>FAB hash</dt><dd class=\"id\">{hash}</dd></div>"
    );
    out.push("</dl>\n");
    if report.configuration.is_empty() {
        note(
            out,
            format_args!("The run has no configuration of its own: the values of the app apply."),
        );
    } else {
        configuration(out, report.configuration);
    }
    out.push("</section>\n");
}

fn configuration(out: &mut Out, values: &[(String, String)]) {
    open_table(
        out,
        "configuration-table",
        format_args!("Run configuration"),
        "texts",
    );
    out.push(
        "<thead><tr><th scope=\"col\">Key</th><th scope=\"col\">Value</th></tr></thead>\n<tbody>\n",
    );
    for (key, value) in values.iter().take(MOST_VALUES) {
        let (key, value) = (name(key), line(value, SENTENCE));
        writeln!(
            out,
            "<tr><th scope=\"row\">{key}</th><td class=\"reason\">{value}</td></tr>"
        );
    }
    out.push(CLOSE_TABLE);
    let more = values.len().saturating_sub(MOST_VALUES);
    if more > 0 {
        let more = counted(more as u64, "more value is", "more values are");
        note(out, format_args!("{more} not in this table."));
    }
}
