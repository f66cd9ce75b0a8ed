//! What a Flower process meant when it ended.
//!
//! Every Flower program leaves with the operating system's code 1 whatever went wrong; the code that
//! says what happened stands only in its log, as `Exit Code: 305`. This module finds it in the last
//! lines of a log and puts it into words, for the moment a process did not come up or stayed down.
//!
//! A SuperNode before 1.38 that is not let in writes no code, and what becomes of it differs: up to 1.22
//! it ends as if all were well, then with a traceback, and from 1.35 to 1.37 its server stays up and does
//! nothing. One up to 1.23 that trusts the wrong authority tries for ever. All are known by their
//! words, while they run.

use std::fmt;

/// Why a SuperNode is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// The SuperLink does not know its key, or still counts an earlier process with it as connected.
    Refused,
    /// The SuperLink is of a release that never forgets an earlier process with its key.
    KeyInUse,
    /// It does not trust the SuperLink's certificate.
    Untrusted,
}

impl Rejection {
    /// What a line of a SuperNode's log says of it.
    pub fn in_line(line: &str) -> Option<Self> {
        Self::words(line).map(|(rejection, _)| rejection)
    }

    fn words(line: &str) -> Option<(Self, &str)> {
        let refused = REFUSALS.iter().map(|words| (Self::Refused, *words));
        let untrusted = DISTRUST.iter().map(|words| (Self::Untrusted, *words));
        refused
            .chain(untrusted)
            .chain([(Self::KeyInUse, IN_USE)])
            .find(|(_, words)| line.contains(words))
    }

    const fn entry(self) -> &'static Entry {
        match self {
            Self::Refused => &NOT_ON_THE_LIST,
            Self::KeyInUse => &NEVER_FORGOTTEN,
            Self::Untrusted => &NOT_TRUSTED,
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.entry().meaning)
    }
}

/// A SuperLink's words to a SuperNode that it does not let in: from 1.32 on, from 1.23 to 1.31 (to a
/// stranger, and to one that counts as connected), from 1.15 to 1.22, and before.
const REFUSALS: &[&str] = &[
    "Failed to activate SuperNode.",
    "No SuperNode found with the given public key.",
    "could not be activated.",
    "Public key not recognized",
    "Access denied",
];

/// A SuperLink's words up to 1.22, where a key stays with a node until that says goodbye.
const IN_USE: &str = "Public key already in use";

/// TLS libraries' words for a certificate of another authority, or of another host.
const DISTRUST: &[&str] = &[
    "CERTIFICATE_VERIFY_FAILED",
    "Hostname Verification Check failed",
];

/// The last exit code of a log, and Flower's own words beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowerExit {
    /// Flower's code, for example 305.
    pub code: u16,
    /// What Flower wrote next to it, up to the first empty line, without colours.
    pub said: String,
    /// Why a SuperNode was not let in, where that was it and is known.
    pub rejection: Option<Rejection>,
    /// Whether Flower wrote the code, and not just the words.
    is_written: bool,
}

/// The code of a SuperNode that is not let in.
const NOT_LET_IN: u16 = 305;

impl FlowerExit {
    /// Finds the last `Exit Code: NNN` in the tail of a log, or what stands for it.
    pub fn in_log(log: &str) -> Option<Self> {
        const MARK: &str = "Exit Code: ";
        let Some((_, after)) = log.rsplit_once(MARK) else {
            let (rejection, words) = log.lines().rev().find_map(Rejection::words)?;
            return Some(Self {
                code: NOT_LET_IN,
                said: words.to_owned(),
                rejection: Some(rejection),
                is_written: false,
            });
        };
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = after.split_at_checked(digits)?;
        let said: Vec<&str> = rest
            .lines()
            .map(str::trim)
            .skip_while(|line| line.is_empty())
            .take_while(|line| !line.is_empty() && !line.starts_with("For more information"))
            .collect();
        let code = number.parse().ok()?;
        let said = without_escapes(&said.join(" "));
        let rejection = (code == NOT_LET_IN).then(|| Rejection::in_line(&said));
        Some(Self {
            code,
            said,
            rejection: rejection.flatten(),
            is_written: true,
        })
    }

    /// Whether a SuperNode that the SuperLink knows may be let in when it tries again.
    pub fn may_pass(&self) -> bool {
        self.code == NOT_LET_IN && matches!(self.rejection, None | Some(Rejection::Refused))
    }

    /// What it means, in a sentence; `None` for a code this table does not have.
    pub fn meaning(&self) -> Option<String> {
        let meaning = self.entry()?.meaning;
        Some(if self.is_written {
            format!("Flower's exit code {}: {meaning}.", self.code)
        } else {
            format!("Flower's words {:?}: {meaning}.", self.said)
        })
    }

    /// What to do about it.
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

const LICENCE: &str = "This is a Flower Enterprise build; give it a licence with FLWR_LICENSE_KEY or FLWR_LICENSE_URL in `env`, or use the open-source package.";
const IN_THE_APP: &str =
    "Read the ServerApp's log lines above the exit code; the cause is in the app.";

const NOT_ON_THE_LIST: Entry = row(
    NOT_LET_IN,
    "the SuperLink does not let the SuperNode in",
    "Its public key is not on the SuperLink's list: add it to `supernodes`. If it is there, an earlier process with the same key still counts as connected: apply again in two minutes.",
);
const NEVER_FORGOTTEN: Entry = row(
    NOT_LET_IN,
    "the SuperLink takes the SuperNode for an earlier process with its key, which did not say goodbye",
    "SuperLinks up to Flower 1.22 never forget one that was killed. Change `rotation` of the `flower_supernode_key` to make a new key, or use Flower 1.23 or newer.",
);
const NOT_TRUSTED: Entry = row(
    NOT_LET_IN,
    "the SuperNode does not trust the SuperLink's certificate",
    "Set `superlink.ca_certificate` to the authority that signed it, or pass `flower_superlink.NAME.fleet` whole. If a hostname or an address does not match, dial one that the certificate names, or add this one to the SuperLink's `tls.dns_names` or `tls.ip_addresses`.",
);

/// Codes 0 to 99 are no failures. A code without a row here was removed before 1.37 or is newer.
const TABLE: &[Entry] = &[
    row(101, "the licence is invalid or has expired", LICENCE),
    row(102, "the licence is missing", LICENCE),
    row(103, "the licence address is invalid", LICENCE),
    row(
        104,
        "the SuperLink refused its command line",
        "Check `extra_args`; a flag there does not go together with the rest. Node keys need TLS.",
    ),
    row(
        105,
        "the database was written by a Flower release this one cannot read",
        "Go back to the release that wrote it, or start with an empty database: runs and registered nodes in it are lost then. Databases of 1.25 and older cannot be upgraded to 1.42.",
    ),
    row(
        200,
        "the strategy cannot combine the replies of the ClientApps",
        "Let every ClientApp return one ArrayRecord and one MetricRecord with the same keys, including the one used as weight.",
    ),
    row(201, "the ServerApp raised an exception", IN_THE_APP),
    row(202, "the strategy failed while aggregating", IN_THE_APP),
    row(
        203,
        "the SuperLink did not let the ServerApp start the run",
        "The run was stopped meanwhile, or took too long to start; look at its status and start it again.",
    ),
    row(
        250,
        "the ClientApp lost its SuperNode",
        "Look at the SuperNode's log; it stopped or restarted while the app ran.",
    ),
    row(
        302,
        "the SuperNode's private key cannot be used",
        "Give an unencrypted elliptic-curve key (P-256, P-384 or P-521) in OpenSSH format; PKCS#8 and SEC1 files are refused.",
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
        NOT_LET_IN,
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
        "`--root-certificates` and `--insecure` were given together",
        "Remove one of them from `extra_args`.",
    ),
    row(
        604,
        "a file it was told to read is not there",
        "Check that the file exists on the machine where the process runs and that it may read it.",
    ),
    row(
        605,
        "the TLS certificate files are incomplete or invalid",
        "Certificate, key and CA file are needed together, and the key must belong to the certificate.",
    ),
    row(
        606,
        "this process and its SuperLink or SuperNode are of different Flower releases",
        "Use the same major and minor release for a SuperLink or SuperNode and everything it runs.",
    ),
    row(
        607,
        "the app failed to import a module",
        "Add the missing package to `requirements`.",
    ),
    row(
        608,
        "installing the app's dependencies failed",
        "Check that the package index can be reached from there, or list the packages in `requirements` instead.",
    ),
    row(700, "the simulation raised an exception", IN_THE_APP),
    row(
        701,
        "the packages for simulations are missing",
        "Add `flwr[simulation]` to `requirements`.",
    ),
    row(800, "an app's process raised an exception", IN_THE_APP),
];

/// Flower colours its log; the reset lands in the middle of a message.
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
mod tests {
    use super::*;

    /// As flower-supernode 1.42 writes it when the SuperLink does not know its key.
    const UNKNOWN_NODE: &str = "\u{1b}[92mINFO \u{1b}[0m:      Starting Flower SuperNode\n\
        \u{1b}[91mERROR \u{1b}[0m:     Exit Code: 305\n\
        [code: 2004] Failed to activate SuperNode.\n\
        The SuperNode could not establish a connection to the SuperLink.\n\
        \n\
        For more information, visit: <https://flower.ai/docs/framework/1.42/en/ref-exit-codes/305.html>\n";

    #[test]
    fn a_refused_supernode_is_named_with_flowers_words_and_a_way_out() {
        let exit = FlowerExit::in_log(UNKNOWN_NODE).unwrap();
        assert_eq!(
            exit.meaning().unwrap(),
            "Flower's exit code 305: the SuperLink does not let the SuperNode in."
        );
        assert_eq!(
            exit.said,
            "[code: 2004] Failed to activate SuperNode. The SuperNode could not establish a connection to the SuperLink."
        );
        assert!(exit.remedy().unwrap().contains("`supernodes`"));
        assert!(exit.may_pass());
    }

    #[test]
    fn the_words_of_every_release_tell_why_a_supernode_is_not_let_in() {
        use Rejection::{KeyInUse, Refused, Untrusted};
        for (details, rejection, words) in [
            // 1.13 and 1.14.
            ("Access denied", Refused, "Access denied"),
            // 1.15 to 1.22.
            (
                "Public key not recognized",
                Refused,
                "Public key not recognized",
            ),
            (
                "Public key already in use",
                KeyInUse,
                "Public key already in use",
            ),
            // 1.23 to 1.31.
            (
                "No SuperNode found with the given public key.",
                Refused,
                "No SuperNode found with the given public key.",
            ),
            (
                "SuperNode with node ID 5864049394570601840 could not be activated.",
                Refused,
                "could not be activated.",
            ),
            // 1.32 to 1.37.
            (
                "{\"code\": 2004, \"public_message\": \"Failed to activate SuperNode.\", \"public_details\": null}",
                Refused,
                "Failed to activate SuperNode.",
            ),
            // 1.24 to 1.37; before, a line of the TLS library alone says so.
            (
                "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:51779: Tls handshake failed (TSI_PROTOCOL_FAILURE): SSL_ERROR_SSL: error:1000007d:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED: unable to get local issuer certificate: OK",
                Untrusted,
                "CERTIFICATE_VERIFY_FAILED",
            ),
        ] {
            let log = format!(
                "ERROR :     <_InactiveRpcError of RPC that terminated with:\n\tdetails = \"{details}\"\n>\n\
                 RuntimeError: generator didn't yield\n"
            );
            let exit = FlowerExit::in_log(&log).unwrap();
            assert_eq!((exit.code, exit.rejection), (305, Some(rejection)), "{log}");
            assert_eq!(
                exit.meaning().unwrap(),
                format!("Flower's words {words:?}: {rejection}.")
            );
            assert_eq!(exit.may_pass(), rejection == Refused);
        }
    }

    #[test]
    fn a_certificate_of_another_authority_is_told_from_a_refusal() {
        let log = "ERROR :     Exit Code: 305\nFailed to initialize the connection to the SuperLink.\n\
            [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: unable to get local issuer certificate (_ssl.c:1006)\n\n";
        let exit = FlowerExit::in_log(log).unwrap();
        assert_eq!(exit.rejection, Some(Rejection::Untrusted));
        assert!(
            exit.remedy()
                .unwrap()
                .contains("`superlink.ca_certificate`")
        );
        // What Flower says without either is neither.
        let exit = FlowerExit::in_log("Exit Code: 305\nsomething else\n").unwrap();
        assert_eq!((exit.rejection, exit.may_pass()), (None, true));
    }

    #[test]
    fn the_last_exit_code_counts() {
        let log = "Exit Code: 201\nboom\n\nlater\nExit Code: 105\nold schema\n";
        let exit = FlowerExit::in_log(log).unwrap();
        assert_eq!((exit.code, exit.said.as_str()), (105, "old schema"));
    }

    #[test]
    fn a_code_nobody_knows_still_shows_flowers_words() {
        let exit = FlowerExit::in_log("Exit Code: 999\nsomething new").unwrap();
        assert_eq!((exit.code, exit.said.as_str()), (999, "something new"));
        assert_eq!((exit.meaning(), exit.remedy()), (None, None));
    }

    #[test]
    fn colours_and_broken_escapes_vanish_from_the_words() {
        let log = "Exit Code: 607\n\u{1b}[91mno module\u{1b}[0m named x\u{1b}[9";
        assert_eq!(FlowerExit::in_log(log).unwrap().said, "no module named x");
    }

    #[test]
    fn a_log_without_a_code_or_with_a_cut_one_is_nothing() {
        for log in [
            "",
            "started",
            "Exit Code: ",
            "Exit Code: x",
            "Exit Code: 99999999",
        ] {
            assert_eq!(FlowerExit::in_log(log), None, "{log:?}");
        }
    }

    #[test]
    fn every_code_has_one_row_and_a_full_sentence() {
        for pair in TABLE.windows(2) {
            assert!(pair[0].code < pair[1].code);
        }
        assert!(TABLE.iter().all(|row| row.remedy.ends_with('.')));
    }
}
