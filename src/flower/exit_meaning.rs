//! Explains why a Flower process ended.
//!
//! Every Flower program ends with the operating system's code 1, whatever failed; the code with the
//! reason is only in its log, such as `Exit Code: 305`. This module finds it in the last lines of a
//! log and explains it, for a process that did not start or did not keep running.
//!
//! A SuperNode before 1.38 that is refused writes no code, and its releases differ: up to 1.22 it
//! ends without an error, later with a traceback. From 1.35 to 1.37 its server would keep running
//! and do nothing; the provider starts it in a way that ends it. Up to 1.23, a SuperNode that does
//! not trust the certificate retries forever. All these cases are found by their log messages,
//! while the process runs.

use std::fmt;

/// Why a SuperLink refuses a SuperNode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// The SuperLink does not know its key, or still counts an earlier process with this key as
    /// connected.
    Refused,
    /// The SuperLink has a release that never forgets an earlier process with this key.
    KeyInUse,
    /// Another running process is connected with its key. In a log this looks like
    /// [`Self::Refused`]; only the SuperLink's list of nodes tells.
    Double,
    /// Its key was unregistered, which is final. In a log this looks like [`Self::Refused`], too.
    Revoked,
    /// It has no key, but the SuperLink has a list of keys.
    Keyless,
    /// It does not trust the SuperLink's certificate.
    Untrusted,
}

impl Rejection {
    /// The rejection in a line of a SuperNode's log, if there is one.
    pub fn in_line(line: &str) -> Option<Self> {
        Self::message_in(line).map(|(rejection, _)| rejection)
    }

    fn message_in(line: &str) -> Option<(Self, &str)> {
        let refused = REFUSALS.iter().map(|message| (Self::Refused, *message));
        let untrusted = DISTRUST.iter().map(|message| (Self::Untrusted, *message));
        refused
            .chain(untrusted)
            .chain([(Self::KeyInUse, IN_USE), (Self::Keyless, KEYLESS)])
            .find(|(_, message)| line.contains(message))
    }

    const fn entry(self) -> &'static Entry {
        match self {
            Self::Refused => &NOT_ON_THE_LIST,
            Self::KeyInUse => &NEVER_FORGOTTEN,
            Self::Double => &DOUBLE,
            Self::Revoked => &REVOKED,
            Self::Keyless => &NO_KEY,
            Self::Untrusted => &NOT_TRUSTED,
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.entry().meaning)
    }
}

/// Messages of a SuperLink to a SuperNode that it refuses: from 1.32 on, from 1.23 to 1.31 (for an
/// unknown key, and for one that counts as connected), from 1.15 to 1.22, and before.
const REFUSALS: &[&str] = &[
    "Failed to activate SuperNode.",
    "No SuperNode found with the given public key.",
    "could not be activated.",
    "Public key not recognized",
    "Access denied",
];

/// The message of a SuperLink up to 1.22, where a key belongs to a node until the node disconnects.
const IN_USE: &str = "Public key already in use";

/// The message of a SuperLink to a SuperNode without a key, from 1.23 on.
const KEYLESS: &str = "SuperNode authentication is enabled";

/// Messages of TLS libraries about a certificate of another authority or for another host.
const DISTRUST: &[&str] = &[
    "CERTIFICATE_VERIFY_FAILED",
    "Hostname Verification Check failed",
];

/// The last exit code in a log, with Flower's message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowerExit {
    /// Flower's code, for example 305.
    pub code: u16,
    /// Flower's message after the code, up to the first empty line, without colours.
    pub message: String,
    /// Why the SuperLink refused the SuperNode, if it did and the reason is known.
    pub rejection: Option<Rejection>,
    /// Whether Flower wrote the code, and not only a message.
    is_written: bool,
}

/// The code of a SuperNode that was refused.
const REFUSED: u16 = 305;

impl FlowerExit {
    /// Finds the last `Exit Code: NNN` in the tail of a log, or a message that means the same.
    pub fn in_log(log: &str) -> Option<Self> {
        const MARK: &str = "Exit Code: ";
        let Some((_, after)) = log.rsplit_once(MARK) else {
            let (rejection, message) = log.lines().rev().find_map(Rejection::message_in)?;
            return Some(Self {
                code: REFUSED,
                message: message.to_owned(),
                rejection: Some(rejection),
                is_written: false,
            });
        };
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = after.split_at_checked(digits)?;
        let lines: Vec<&str> = rest
            .lines()
            .map(str::trim)
            .skip_while(|line| line.is_empty())
            .take_while(|line| !line.is_empty() && !line.starts_with("For more information"))
            .collect();
        let code = number.parse().ok()?;
        let message = without_escapes(&lines.join(" "));
        let rejection = (code == REFUSED).then(|| Rejection::in_line(&message));
        Some(Self {
            code,
            message,
            rejection: rejection.flatten(),
            is_written: true,
        })
    }

    /// Sets a reason that another source has told.
    #[must_use]
    pub fn because(self, rejection: Rejection) -> Self {
        Self {
            rejection: Some(rejection),
            ..self
        }
    }

    /// Whether a SuperLink that knows the SuperNode may accept it when it tries again.
    pub fn may_pass(&self) -> bool {
        self.code == REFUSED && matches!(self.rejection, None | Some(Rejection::Refused))
    }

    /// The meaning, as a sentence; `None` for an unknown code.
    pub fn meaning(&self) -> Option<String> {
        let meaning = self.entry()?.meaning;
        Some(if self.is_written {
            format!("Flower's exit code {}: {meaning}.", self.code)
        } else {
            format!("Flower's message {:?}: {meaning}.", self.message)
        })
    }

    /// The remedy, if there is one.
    pub fn remedy(&self) -> Option<String> {
        self.entry().map(|entry| entry.remedy.to_owned())
    }

    fn entry(&self) -> Option<&'static Entry> {
        match self.rejection {
            Some(rejection) => Some(rejection.entry()),
            None => entry(self.code),
        }
    }
}

struct Entry {
    code: u16,
    meaning: &'static str,
    remedy: &'static str,
}

fn entry(code: u16) -> Option<&'static Entry> {
    TABLE.iter().find(|entry| entry.code == code)
}

const fn row(code: u16, meaning: &'static str, remedy: &'static str) -> Entry {
    Entry {
        code,
        meaning,
        remedy,
    }
}

const LICENCE: &str = "This is a Flower Enterprise build. Set its licence with FLWR_LICENSE_KEY or \
                       FLWR_LICENSE_URL in a Secret of `kubernetes.server_env_from_secrets` or, in \
                       the runtime `local`, in `env`. Or use the open-source package.";
const IN_THE_APP: &str =
    "Read the ServerApp's log lines above the exit code; the cause is in the app.";

const NOT_ON_THE_LIST: Entry = row(
    REFUSED,
    "the SuperLink refused the SuperNode",
    "Its public key is not on the SuperLink's list: add it to `supernodes`. If it is there, an earlier process with the same key still counts as connected: apply again in two minutes.",
);
const NEVER_FORGOTTEN: Entry = row(
    REFUSED,
    "the SuperLink still counts an earlier process with this key as connected",
    "A SuperLink up to Flower 1.22 never forgets a killed SuperNode. Change `rotation` of the \
     `flower_supernode_key` to create a new key, or use Flower 1.23 or newer.",
);
const DOUBLE: Entry = row(
    REFUSED,
    "another process is connected to the SuperLink with its key",
    "Give each SuperNode its own key (another `flower_supernode_key`), or end the other process.",
);
const REVOKED: Entry = row(
    REFUSED,
    "its key is revoked: the key was unregistered, and a SuperLink never accepts an unregistered \
     key again",
    "Change the `rotation` of its `flower_supernode_key`, with the new key in `supernodes`, or \
     remove the SuperNode.",
);
const NO_KEY: Entry = row(
    REFUSED,
    "the SuperLink has a list of keys, but the SuperNode has no key",
    "Set `key = flower_supernode_key.NAME.secret`, and add the `public_key` of that key to the SuperLink's `supernodes`.",
);
const NOT_TRUSTED: Entry = row(
    REFUSED,
    "the SuperNode does not trust the SuperLink's certificate",
    "Set `superlink.ca_certificate` to the authority that signed it, or pass the whole \
     `flower_superlink.NAME.fleet`. If a hostname or an address does not match, connect to one in \
     the certificate, or add this one to the SuperLink's `tls.dns_names` or `tls.ip_addresses`.",
);

/// Codes 0 to 99 are not failures. A code that is missing here was removed before 1.37 or is newer.
const TABLE: &[Entry] = &[
    row(101, "the licence is invalid or has expired", LICENCE),
    row(102, "the licence is missing", LICENCE),
    row(103, "the licence address is invalid", LICENCE),
    row(
        104,
        "the SuperLink refused its command line",
        "Check `extra_args`: a flag there conflicts with the other flags. Node keys need TLS.",
    ),
    row(
        105,
        "this Flower version cannot read the database, which another version wrote",
        "Use the version that wrote it, or start with an empty database: its runs and registered \
         SuperNodes are then lost. Databases of 1.25 and older cannot be upgraded to 1.42.",
    ),
    row(
        200,
        "the strategy cannot combine the replies of the ClientApps",
        "Every ClientApp must return one ArrayRecord and one MetricRecord with the same keys, \
         including the key of the weight.",
    ),
    row(201, "the ServerApp raised an exception", IN_THE_APP),
    row(202, "the strategy failed while aggregating", IN_THE_APP),
    row(
        203,
        "the SuperLink did not let the ServerApp start the run",
        "The run was stopped, or took too long to start. Check its status and start it again.",
    ),
    row(
        250,
        "the ClientApp lost its SuperNode",
        "Read the SuperNode's log. The SuperNode stopped or restarted while the app ran.",
    ),
    row(
        302,
        "the SuperNode's private key cannot be used",
        "Use an unencrypted elliptic-curve key (P-256, P-384 or P-521) in OpenSSH format. Flower \
         refuses PKCS#8 and SEC1 files.",
    ),
    row(
        303,
        "the SuperNode has a key but no TLS",
        "Node keys work over TLS only: remove `insecure`, or remove the key.",
    ),
    row(
        304,
        "the file of trusted entities cannot be read",
        "Check the file given with `--trusted-entities` in `extra_args`.",
    ),
    row(
        REFUSED,
        "the SuperNode could not connect to the SuperLink",
        "Check the address, the CA certificate and the network between them.",
    ),
    row(
        400,
        "the SuperExec's plugin configuration is invalid",
        "Correct the YAML file given to it.",
    ),
    row(
        401,
        "the SuperExec's shared secret cannot be read",
        "Check that the file exists and that the process may read it.",
    ),
    row(
        402,
        "the SuperExec's executor configuration is invalid",
        "Correct the YAML file given to it.",
    ),
    row(
        500,
        "the public key is not an elliptic-curve key in OpenSSH format",
        "Use a P-256, P-384 or P-521 key.",
    ),
    row(
        600,
        "an address is not host:port",
        "Write it as host:port without a scheme, for example superlink.example.org:8000.",
    ),
    row(
        602,
        "this connection cannot use TLS",
        "Remove the TLS files or set `insecure`.",
    ),
    row(
        603,
        "`--root-certificates` and `--insecure` conflict",
        "Remove one of them from `extra_args`.",
    ),
    row(
        604,
        "a file that it must read does not exist",
        "Check that the file exists on the machine where the process runs and that it may read it.",
    ),
    row(
        605,
        "the TLS certificate files are incomplete or invalid",
        "Set certificate, key and CA file together. The key must belong to the certificate.",
    ),
    row(
        606,
        "this process and its SuperLink or SuperNode have different Flower versions",
        "Use the same major and minor version for a SuperLink or SuperNode and everything it runs.",
    ),
    row(
        607,
        "the app failed to import a module",
        "Add the missing package to `requirements`; in a cluster, use an image that has it (`kubernetes.image`).",
    ),
    row(
        608,
        "installing the app's dependencies failed",
        "Check that the machine can reach the package index, or list the packages in \
         `requirements` instead.",
    ),
    row(700, "the simulation raised an exception", IN_THE_APP),
    row(
        701,
        "the packages for simulations are missing",
        "Add `flwr[simulation]` to `requirements`.",
    ),
    row(800, "an app's process raised an exception", IN_THE_APP),
];

/// Flower colours its log; the reset code can be in the middle of a message.
fn without_escapes(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        rest = after
            .split_once(|c: char| c.is_ascii_alphabetic())
            .map_or("", |(_, after)| after);
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
#[path = "exit_meaning_tests.rs"]
mod tests;
