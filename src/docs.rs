//! Renders the reference pages of `docs/` in the format of the Terraform Registry. The schemas are
//! the only place that describes an attribute.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::provider::Flower;
use crate::tfplugin::schema::{Attribute, Kind, Nesting, Presence, Schema};
use crate::tfplugin::value::{Type, to_json};
use crate::tfplugin::{Provider as _, data_source_schema, schema_of};

/// All pages by their paths in `docs/`; examples are read from `examples`.
pub fn render(examples: &Path) -> BTreeMap<PathBuf, String> {
    let mut pages = BTreeMap::new();
    let provider = Flower.schema();
    pages.insert(
        PathBuf::from("index.md"),
        page(
            "flower Provider",
            &provider,
            "",
            &example(examples, "provider/provider.tf"),
            None,
        ),
    );
    for resource in Flower.resources() {
        let (name, schema) = schema_of(resource.as_ref());
        let short = name.trim_start_matches("flower_");
        let import = fs::read_to_string(examples.join(format!("resources/{name}/import.sh"))).ok();
        let example = example(examples, &format!("resources/{name}/resource.tf"));
        let text = page(
            &format!("{name} Resource - flower"),
            schema,
            "subcategory: \"\"\n",
            &example,
            import.as_deref(),
        );
        pages.insert(PathBuf::from(format!("resources/{short}.md")), text);
    }
    for data_source in Flower.data_sources() {
        let (name, schema) = data_source_schema(data_source.as_ref());
        let short = name.trim_start_matches("flower_");
        let text = page(
            &format!("{name} Data Source - flower"),
            schema,
            "subcategory: \"\"\n",
            &example(examples, &format!("data-sources/{name}/data-source.tf")),
            None,
        );
        pages.insert(PathBuf::from(format!("data-sources/{short}.md")), text);
    }
    pages
}

fn example(examples: &Path, name: &str) -> String {
    fs::read_to_string(examples.join(name)).unwrap_or_default()
}

fn page(
    title: &str,
    schema: &Schema,
    subcategory: &str,
    example: &str,
    import: Option<&str>,
) -> String {
    let heading = title
        .trim_end_matches(" - flower")
        .replace(" Resource", " (Resource)")
        .replace(" Data Source", " (Data Source)");
    let first = schema.description.split("\n\n").next().unwrap_or_default();
    let mut text = format!(
        "---\npage_title: \"{title}\"\n{subcategory}description: |-\n  {first}\n---\n\n# {heading}\n\n{}\n",
        schema.description
    );
    if !example.is_empty() {
        let _ = write!(
            text,
            "\n## Example Usage\n\n```terraform\n{}\n```\n",
            example.trim()
        );
    }
    text.push_str("\n<!-- schema generated from the provider itself -->\n## Schema\n");
    let mut nested = Vec::new();
    attributes(&mut text, &schema.attributes, "", "###", &mut nested);
    while !nested.is_empty() {
        let (path, inner) = nested.remove(0);
        let anchor = anchor(&path);
        let _ = write!(
            text,
            "\n<a id=\"{anchor}\"></a>\n### Nested Schema for `{path}`\n"
        );
        attributes(&mut text, &inner, &path, "####", &mut nested);
    }
    if let Some(import) = import {
        let _ = write!(text, "\n## Import\n\n```shell\n{}\n```\n", import.trim());
    }
    text
}

fn attributes(
    text: &mut String,
    all: &[Attribute],
    within: &str,
    level: &str,
    nested: &mut Vec<(String, Vec<Attribute>)>,
) {
    for (title, wanted) in [
        ("Required", [Some(Presence::Required), None]),
        (
            "Optional",
            [Some(Presence::Optional), Some(Presence::OptionalComputed)],
        ),
        ("Read-Only", [Some(Presence::Computed), None]),
    ] {
        let mut these: Vec<_> = all
            .iter()
            .filter(|one| wanted.contains(&Some(one.presence)))
            .collect();
        these.sort_by(|a, b| a.name.cmp(&b.name));
        if these.is_empty() {
            continue;
        }
        let _ = write!(text, "\n{level} {title}\n\n");
        for attribute in these {
            let path = if within.is_empty() {
                attribute.name.clone()
            } else {
                format!("{within}.{}", attribute.name)
            };
            line(text, attribute, &path);
            if let Kind::Nested(_, inner) = &attribute.kind {
                nested.push((path, inner.clone()));
            }
        }
    }
}

fn line(text: &mut String, attribute: &Attribute, path: &str) {
    let mut marks = type_name(&attribute.kind);
    if attribute.sensitive {
        marks.push_str(", Sensitive");
    }
    if attribute.write_only {
        marks.push_str(", Write-only: needs Terraform 1.11 or newer");
    }
    let _ = write!(
        text,
        "- `{}` ({marks}) {}",
        attribute.name, attribute.description
    );
    if let Some(default) = &attribute.default {
        let _ = write!(text, " Default: `{}`.", to_json(default));
    }
    if let Some(reason) = attribute.replace {
        let _ = write!(text, " A change replaces the resource: {reason}.");
    }
    if matches!(attribute.kind, Kind::Nested(..)) {
        let _ = write!(text, " (see [below for nested schema](#{}))", anchor(path));
    }
    text.push('\n');
}

fn anchor(path: &str) -> String {
    format!("nestedatt--{}", path.replace('.', "--"))
}

fn type_name(kind: &Kind) -> String {
    match kind {
        Kind::Plain(ty) => plain_name(ty),
        Kind::Nested(Nesting::Single, _) => "Attributes".to_owned(),
        Kind::Nested(Nesting::List, _) => "Attributes List".to_owned(),
        Kind::Nested(Nesting::Map, _) => "Attributes Map".to_owned(),
    }
}

fn plain_name(ty: &Type) -> String {
    match ty {
        Type::Bool => "Boolean".to_owned(),
        Type::Number => "Number".to_owned(),
        Type::String => "String".to_owned(),
        Type::Dynamic => "Dynamic".to_owned(),
        Type::List(element) => format!("List of {}", plain_name(element)),
        Type::Set(element) => format!("Set of {}", plain_name(element)),
        Type::Map(element) => format!("Map of {}", plain_name(element)),
        Type::Object(_) | Type::Tuple(_) => "Object".to_owned(),
    }
}
