//! Texts of apps, nodes and logs that try to get out of their place.

use super::*;

const TEXTS: &[&str] = &[
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "]]></title></style></pre></svg></table><!--",
    "javascript:alert(1) http://evil.example data:text/html,x",
    "&lt;b&gt; &amp;amp; &#60;",
    "a\u{202e}gpj.exe\u{2066}\u{200b}\u{feff}b",
    "nul\0bell\u{7}escape\u{1b}[31mred",
    "| a | b |\n| - | - |\n`code` ``` ![x](http://evil.example) [x](javascript:1) @octocat #1",
    "# heading\n- list\n1. one\n***\n<details>",
    "x … (18446744073709551615 more characters)",
    "x … (18446744073709551615 more characters) and more",
];

/// A report that has this text wherever a text can be, and its HTML and Markdown.
fn with(text: &str) -> (String, String) {
    // An app chooses the names of metrics and strategies, a node the reason of its failure.
    let name = text.replace(['\'', '\\', '\n'], "");
    let one_line = text.replace('\n', " ");
    let mut progress = progress(&format!(
        "INFO :      [ROUND 1/2]\n\
         INFO :      configure_train: Sampled 2 nodes (out of 3)\n\
         INFO :      \t> Received error in reply from node 7: {one_line}\n\
         INFO :      aggregate_train: Received 1 results and 1 failures\n\
         INFO :      \t└──> Aggregated MetricRecord: {{'{name}': 0.5}}\n\
         INFO :      [ROUND 1/2]\n"
    ));
    progress.rounds[1].strategy = Some(text.to_owned());
    let configuration = [(text.to_owned(), text.to_owned())];
    let log = [text.to_owned()];
    let nodes = [Node {
        id: NodeId(7),
        name: Some(text),
        location: Some(text),
        state: text,
    }];
    let report = Report {
        run: Run {
            id: text,
            status: text,
            sub_status: Some(text),
            details: text,
            pending_at: Some(text),
            running_at: Some(text),
            finished_at: Some(text),
        },
        superlink: SuperLink {
            url: text,
            flower_version: Some(text),
        },
        app: App {
            name: text,
            version: text,
            fab_hash: text,
        },
        configuration: &configuration,
        nodes: &nodes,
        usage: None,
        progress: &progress,
        log: &log,
        written_by: text,
        written_at: text,
    };
    (report.html(), report.markdown())
}

#[test]
fn foreign_text_stays_text_in_html() {
    let plain = read(&with("plain").0);
    for text in TEXTS {
        let (html, _) = with(text);
        let page = read(&html);
        // The same elements: the text has added none, and has ended none.
        let elements = |page: &Page| {
            page.tags
                .iter()
                .map(|(name, _)| name.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(elements(&page), elements(&plain), "{text}");
        assert_eq!(page.values("data-value"), ["0.5"], "{text}");
        assert!(
            !html.contains("<script") && !html.contains("<img"),
            "{text}"
        );
        let invisible = |c: char| c.is_control() && c != '\n' && c != '\t';
        assert!(!html.contains(invisible), "{text}");
        for c in ['\u{202e}', '\u{2066}', '\u{200b}', '\u{feff}'] {
            assert!(!html.contains(c), "{text}");
        }
    }
}

#[test]
fn a_page_asks_for_nothing() {
    let progress = failing();
    let html = report(&progress).html();
    for word in [
        "http:",
        "https:",
        "//",
        "javascript:",
        "url(",
        "@import",
        "<link",
        "src=",
        "href=",
    ] {
        assert!(!html.contains(word), "{word}");
    }
    assert_eq!(html.matches("http").count(), 1, "only http-equiv");
}

#[test]
fn foreign_text_stays_text_in_markdown() {
    for text in TEXTS {
        let (_, markdown) = with(text);
        let (_, plain) = with("plain");
        // What the report itself writes has none of these.
        for mark in ["<", "`", "[", "](", "![", "http:", "&lt;"] {
            assert!(!markdown.contains(mark), "{mark} of {text}: {markdown}");
        }
        assert_eq!(markdown.lines().count(), plain.lines().count(), "{text}");
        let cells = |text: &str| {
            text.lines()
                .map(|line| line.matches('|').count())
                .collect::<Vec<_>>()
        };
        assert_eq!(cells(&markdown), cells(&plain), "{text}");
        assert!(
            !markdown.contains("@o") && !markdown.replace("&#", "").contains("#1"),
            "{text}"
        );
    }
    let (_, markdown) = with("@octocat #1");
    assert!(
        markdown.contains("&#64;&#8203;octocat &#35;&#8203;1"),
        "{markdown}"
    );
}

#[test]
fn long_texts_are_cut() {
    let text = "wide ".repeat(2000);
    let (html, markdown) = with(&text);
    assert!(html.len() < 40_000, "{}", html.len());
    assert!(markdown.len() < 20_000, "{}", markdown.len());
    assert!(read(&html).text.contains(" more characters)"));
    // Each of them grows to five times its length.
    let (html, _) = with(&"&".repeat(10_000));
    assert!(html.len() < 100_000, "{}", html.len());
}
