//! What a Flower process meant when it ended.
//!
//! Every Flower program leaves with the operating system's code 1 whatever went wrong; the code that
//! says what happened stands only in its log, as `Exit Code: 305`. This module finds it in the last
//! lines of a log and puts it into words, for the moment a process did not come up or stayed down.
//!
//! A SuperNode of 1.37 that is refused prints a traceback instead of a code and does not even end; it
//! is recognized by the words.

use std::fmt;

/// The last exit code of a log, and Flower's own words beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowerExit {
    /// Flower's code, for example 305.
    pub code: u16,
    /// What Flower wrote next to it, up to the first empty line, without colours.
    pub said: String,
}

impl FlowerExit {
    /// Finds the last `Exit Code: NNN` in the tail of a log.
    pub fn in_log(log: &str) -> Option<Self> {
        const MARK: &str = "Exit Code: ";
        const REFUSED: &str = "Failed to activate SuperNode.";
        let Some((_, after)) = log.rsplit_once(MARK) else {
            return log.contains(REFUSED).then(|| Self {
                code: 305,
                said: REFUSED.to_owned(),
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
        Some(Self {
            code: number.parse().ok()?,
            said: without_escapes(&said.join(" ")),
        })
    }

    /// What the code means, in a few words; `None` for a code this table does not have.
    pub fn meaning(&self) -> Option<&'static str> {
        entry(self.code).map(|entry| entry.meaning)
    }

    /// What to do about it.
    pub fn remedy(&self) -> Option<String> {
        entry(self.code).map(|entry| entry.remedy.to_owned())
    }
}

impl fmt::Display for FlowerExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Flower exit code {}", self.code)?;
        if let Some(meaning) = self.meaning() {
            write!(f, ": {meaning}")?;
        }
        if !self.said.is_empty() {
            write!(f, " (Flower: {})", self.said)?;
        }
        Ok(())
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
        305,
        "the SuperLink did not accept the SuperNode, or could not be reached",
        "If Flower says \"Failed to activate SuperNode\", its public key is not on the SuperLink's list: add it to `supernodes`. Else check the address, the CA certificate and the network between them.",
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
            exit.to_string(),
            "Flower exit code 305: the SuperLink did not accept the SuperNode, or could not be reached \
             (Flower: [code: 2004] Failed to activate SuperNode. The SuperNode could not establish a connection to the SuperLink.)"
        );
        assert!(exit.remedy().unwrap().contains("`supernodes`"));
    }

    #[test]
    fn a_refusal_without_a_code_is_recognized() {
        let log = "details = \"{\"code\": 2004, \"public_message\": \"Failed to activate SuperNode.\"}\"\n\
            RuntimeError: generator didn't yield\n";
        assert_eq!(FlowerExit::in_log(log).unwrap().code, 305);
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
        assert_eq!(
            exit.to_string(),
            "Flower exit code 999 (Flower: something new)"
        );
        assert_eq!(exit.remedy(), None);
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
