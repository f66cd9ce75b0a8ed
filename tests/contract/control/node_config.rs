//! Node configurations, read by Flower's own parser.

use std::collections::BTreeMap;
use std::process::Command;

use terraform_provider_flower::flower::node_config::node_config_toml;
use terraform_provider_flower::flower::run_config::ConfigValue;

use crate::flower_env;

#[test]
fn flower_reads_every_node_configuration_as_it_was_written() {
    let strings = [
        "",
        "plain",
        "two words",
        "a \"quoted\" 'one'",
        "it's",
        "back\\slash \\n",
        "line\nbreak\ttab\r",
        "zażółć 🌸 \u{85}\u{2028}",
        "\u{0}\u{7f}\u{1b}[31m",
        "a=1 b=2",
        "# no comment",
        "config.toml",
        "[table]",
    ];
    let mut config: BTreeMap<String, ConfigValue> = strings
        .iter()
        .enumerate()
        .map(|(n, s)| (format!("s{n}"), ConfigValue::Str((*s).to_owned())))
        .collect();
    let others = [
        ("partition-id", ConfigValue::Int(0)),
        ("low", ConfigValue::Int(i64::MIN)),
        ("high", ConfigValue::Int(i64::MAX)),
        ("on", ConfigValue::Bool(true)),
        ("off_", ConfigValue::Bool(false)),
        ("one", ConfigValue::Float(1.0)),
        ("third", ConfigValue::Float(1.0 / 3.0)),
        ("tiny", ConfigValue::Float(5e-324)),
        ("huge", ConfigValue::Float(f64::MAX)),
        ("minus", ConfigValue::Float(-0.0)),
        ("data.train.path", ConfigValue::Str("/data".to_owned())),
        ("1", ConfigValue::Float(f64::INFINITY)),
    ];
    config.extend(others.map(|(key, value)| (key.to_owned(), value)));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("node-config.toml");
    std::fs::write(&file, node_config_toml(&config).unwrap()).unwrap();
    let script = "import sys\nfrom flwr.common.config import parse_config_args\n\
        for k, v in sorted(parse_config_args([sys.argv[1]]).items()):\n\
        \x20   print(k, type(v).__name__, v.encode().hex() if isinstance(v, str) else v.hex() if isinstance(v, float) else v)\n";
    let output = Command::new(flower_env::bin("python"))
        .args(["-c", script])
        .arg(file)
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let read: BTreeMap<String, ConfigValue> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| {
            let mut words = line.splitn(3, ' ');
            let (key, kind, text) = (
                words.next().unwrap(),
                words.next().unwrap(),
                words.next().unwrap(),
            );
            let value = match kind {
                "int" => ConfigValue::Int(text.parse().unwrap()),
                "bool" => ConfigValue::Bool(text == "True"),
                "str" => ConfigValue::Str(String::from_utf8(hex::decode(text).unwrap()).unwrap()),
                "float" => ConfigValue::Float(from_hex(text)),
                other => panic!("{other}"),
            };
            (key.to_owned(), value)
        })
        .collect();
    assert_eq!(read, config);
}

/// Reads Python's `float.hex()`.
fn from_hex(text: &str) -> f64 {
    if text == "inf" {
        return f64::INFINITY;
    }
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text),
    };
    let (mantissa, exponent) = text.strip_prefix("0x").unwrap().split_once('p').unwrap();
    let digits = mantissa.replace('.', "");
    let fraction = i32::try_from(digits.len() - 1).unwrap() * 4;
    let exponent: i32 = exponent.parse().unwrap();
    #[expect(clippy::cast_precision_loss, reason = "a mantissa has 53 bits")]
    let mantissa = u64::from_str_radix(&digits, 16).unwrap() as f64;
    sign * mantissa * 2.0_f64.powi(-fraction) * 2.0_f64.powi(exponent)
}
