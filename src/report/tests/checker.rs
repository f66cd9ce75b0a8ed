//! A tiny reader of HTML that accepts only what the report is made of.

/// The only elements of a report; those without an end tag are below.
const ELEMENTS: &str = "html head title style body header main section footer h1 h2 h3 p span bdi \
    strong dl div dt dd time table caption colgroup thead tbody tr th td figure figcaption details \
    summary pre svg desc g path text";
const VOID: &str = "meta br";
/// Attributes that neither run nor load anything.
const ATTRIBUTES: &str = "lang charset http-equiv content name id class role tabindex datetime \
    scope rowspan colspan span title d x y viewBox transform data-value aria-labelledby aria-hidden";

/// What a page consists of.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// Each start tag: its element and its attributes.
    pub(super) tags: Vec<(String, Vec<(String, String)>)>,
    /// The text of all elements but `style`, with the entities decoded.
    pub(super) text: String,
}

impl Page {
    pub(super) fn count(&self, element: &str) -> usize {
        self.tags.iter().filter(|(name, _)| name == element).count()
    }

    /// The values of an attribute of all tags.
    pub(super) fn values(&self, attribute: &str) -> Vec<&str> {
        let attributes = self.tags.iter().flat_map(|(_, attributes)| attributes);
        let values = attributes.filter(|(name, _)| name == attribute);
        values.map(|(_, value)| value.as_str()).collect()
    }
}

/// Reads a page; fails for what does not belong into a report.
pub(super) fn read(html: &str) -> Page {
    let known = |list: &str, word: &str| list.split_whitespace().any(|known| known == word);
    let mut page = Page::default();
    let mut open: Vec<String> = Vec::new();
    let mut rest = html.strip_prefix("<!DOCTYPE html>").unwrap();
    while let Some(at) = rest.find('<') {
        let (text, tag) = rest.split_at(at);
        if open.last().is_none_or(|element| element != "style") {
            assert!(!text.contains('>'), "an end without a begin: {text}");
            page.text.push_str(&decoded(text));
        }
        let end = tag.find('>').unwrap();
        rest = &tag[end + 1..];
        let tag = &tag[1..end];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "ends too early");
            continue;
        }
        let closed = tag.ends_with('/');
        let tag = tag.trim_end_matches('/');
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        let is_void = known(VOID, name);
        assert!(
            is_void || known(ELEMENTS, name),
            "<{name}> is no element of a report"
        );
        if !closed && !is_void {
            open.push(name.to_owned());
        }
        let attributes = attributes_of(attributes);
        for (attribute, _) in &attributes {
            assert!(known(ATTRIBUTES, attribute), "{attribute} in <{tag}>");
        }
        page.tags.push((name.to_owned(), attributes));
    }
    assert_eq!(open, [""; 0], "never end");
    let mut ids = page.values("id");
    ids.sort_unstable();
    let count = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), count, "IDs are unique");
    for label in page
        .values("aria-labelledby")
        .iter()
        .flat_map(|ids| ids.split(' '))
    {
        assert!(ids.contains(&label), "nothing has the ID {label}");
    }
    page
}

/// `a="1" b="2"`.
fn attributes_of(mut text: &str) -> Vec<(String, String)> {
    let mut attributes = Vec::new();
    while !text.trim().is_empty() {
        let (name, rest) = text.trim_start().split_once("=\"").unwrap();
        let (value, rest) = rest.split_once('"').unwrap();
        attributes.push((name.to_owned(), decoded(value)));
        text = rest;
    }
    attributes
}

fn decoded(text: &str) -> String {
    let entities = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
    ];
    let bare = entities
        .iter()
        .fold(text.replace("&amp;", ""), |text, (entity, _)| {
            text.replace(entity, "")
        });
    assert!(!bare.contains('&'), "an entity that is none: {text}");
    let text = entities
        .iter()
        .fold(text.to_owned(), |text, (entity, c)| text.replace(entity, c));
    text.replace("&amp;", "&")
}
