//! The sides of the comparison.

use std::path::PathBuf;

/// The name of the Go peer in the tables.
pub const PEER: &str = "Go echo";

/// A provider binary and its name in the tables.
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

/// The programs that were built for the bench.
pub struct Binaries {
    /// The provider.
    pub provider: Option<Plugin>,
    /// An echo provider on our plugin layer.
    pub echo: Option<Plugin>,
    /// The client that requests the schema of each provider.
    pub host: Option<PathBuf>,
    /// The same echo provider on the framework of most providers.
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

/// A way to plan and apply many resources that do nothing.
pub enum Side {
    /// With a provider; the variables are for its process.
    Plugin {
        label: String,
        plugin: Plugin,
        environment: Vec<(&'static str, &'static str)>,
    },
    /// With `terraform_data` and one string, which Terraform itself implements: no provider can be
    /// faster.
    BuiltIn,
}

impl Side {
    /// All sides of a bench; ours is first, if it is measured.
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
        // The framework writes all trace lines to standard error, and Terraform reads them all,
        // unless its own variable turns them off.
        sides.push(Self::Plugin {
            label: format!("{}, logs off", binaries.peer.label),
            plugin: binaries.peer.clone(),
            environment: vec![("TF_LOG_SDK", "off")],
        });
        sides.push(Self::BuiltIn);
        sides
    }

    /// Whether the others are compared with this side: the Go peer without changes.
    pub fn is_base(&self) -> bool {
        matches!(self, Self::Plugin { plugin, environment, .. }
            if plugin.label == PEER && environment.is_empty())
    }

    /// The name in the tables.
    pub fn label(&self) -> &str {
        match self {
            Self::Plugin { label, .. } => label,
            Self::BuiltIn => "terraform_data",
        }
    }
}
