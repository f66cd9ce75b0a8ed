//! Who is measured.

use std::path::PathBuf;

/// What the tables call the Go peer.
pub const PEER: &str = "Go echo";

/// A provider binary, and what the tables call it.
#[derive(Clone)]
pub struct Plugin {
    pub label: &'static str,
    pub binary: PathBuf,
}

impl Plugin {
    /// A plugin under the name that the tables show.
    pub fn new(label: &'static str, binary: PathBuf) -> Self {
        Self { label, binary }
    }
}

/// Everything that was built for the bench.
pub struct Binaries {
    /// The product itself.
    pub provider: Option<Plugin>,
    /// A resource that does nothing, on our plugin layer.
    pub echo: Option<Plugin>,
    /// The client that asks each of them for its schema.
    pub host: Option<PathBuf>,
    /// The same resource on the framework that most providers are written in.
    pub peer: Plugin,
}

impl Binaries {
    /// All of them, ours first.
    pub fn all(&self) -> impl Iterator<Item = &Plugin> {
        self.provider
            .iter()
            .chain(self.echo.as_ref())
            .chain(std::iter::once(&self.peer))
    }
}

/// One way to plan and apply many resources that do nothing.
pub enum Side {
    /// Through a provider; the variables are for its process.
    Plugin {
        label: String,
        plugin: Plugin,
        environment: Vec<(&'static str, &'static str)>,
    },
    /// Through `terraform_data` with one string, which is inside Terraform: the
    /// floor, below which no provider can get.
    BuiltIn,
}

impl Side {
    /// All sides of a bench; the first of ours, where it is there, leads.
    pub fn all(binaries: &Binaries) -> Vec<Self> {
        let mut sides: Vec<Self> = binaries
            .echo
            .iter()
            .chain(std::iter::once(&binaries.peer))
            .map(|plugin| Self::Plugin {
                label: plugin.label.to_owned(),
                plugin: plugin.clone(),
                environment: Vec::new(),
            })
            .collect();
        // The framework writes every trace line to stderr, and Terraform reads
        // them all, unless its own switch says otherwise.
        sides.push(Self::Plugin {
            label: format!("{}, its logs off", binaries.peer.label),
            plugin: binaries.peer.clone(),
            environment: vec![("TF_LOG_SDK", "off")],
        });
        sides.push(Self::BuiltIn);
        sides
    }

    /// The one that the others are compared with: the Go peer as it comes.
    pub fn is_base(&self) -> bool {
        matches!(self, Self::Plugin { plugin, environment, .. }
            if plugin.label == PEER && environment.is_empty())
    }

    /// What the tables call it.
    pub fn label(&self) -> &str {
        match self {
            Self::Plugin { label, .. } => label,
            Self::BuiltIn => "terraform_data",
        }
    }
}
