use super::*;

/// The log of flower-supernode 1.42 if the SuperLink does not know its key.
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
        "Flower's exit code 305: the SuperLink refused the SuperNode."
    );
    assert_eq!(
        exit.message,
        "[code: 2004] Failed to activate SuperNode. The SuperNode could not establish a connection to the SuperLink."
    );
    assert!(exit.remedy().unwrap().contains("`supernodes`"));
    assert!(exit.may_pass());
}

#[test]
fn a_reason_that_is_known_from_elsewhere_takes_the_place_of_the_words() {
    let exit = FlowerExit::in_log(UNKNOWN_NODE).unwrap();
    let exit = exit.because(Rejection::Double);
    assert_eq!(
        exit.meaning().unwrap(),
        "Flower's exit code 305: another process is connected to the SuperLink with its key."
    );
    assert!(exit.remedy().unwrap().contains("its own key"));
    assert!(!exit.may_pass());
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
        // From 1.24 to 1.37; before, only a line of the TLS library.
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
            format!("Flower's message {words:?}: {rejection}.")
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
    // A log with neither a code nor a known message has no result.
    let exit = FlowerExit::in_log("Exit Code: 305\nsomething else\n").unwrap();
    assert_eq!((exit.rejection, exit.may_pass()), (None, true));
}

#[test]
fn the_last_exit_code_counts() {
    let log = "Exit Code: 201\nboom\n\nlater\nExit Code: 105\nold schema\n";
    let exit = FlowerExit::in_log(log).unwrap();
    assert_eq!((exit.code, exit.message.as_str()), (105, "old schema"));
}

#[test]
fn a_code_nobody_knows_still_shows_flowers_words() {
    let exit = FlowerExit::in_log("Exit Code: 999\nsomething new").unwrap();
    assert_eq!((exit.code, exit.message.as_str()), (999, "something new"));
    assert_eq!((exit.meaning(), exit.remedy()), (None, None));
}

#[test]
fn colours_and_broken_escapes_vanish_from_the_words() {
    let log = "Exit Code: 607\n\u{1b}[91mno module\u{1b}[0m named x\u{1b}[9";
    assert_eq!(
        FlowerExit::in_log(log).unwrap().message,
        "no module named x"
    );
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
