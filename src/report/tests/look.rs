//! Whether the colours of the style sheet can be read.

const STYLE: &str = include_str!("../style.css");

/// The relative luminance of `#rrggbb`, as WCAG 2 defines it.
fn luminance(colour: &str) -> f64 {
    let channel = |at: usize| {
        let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
        if value <= 0.04045 {
            value / 12.92
        } else {
            ((value + 0.055) / 1.055).powf(2.4)
        }
    };
    0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
}

fn contrast(one: &str, other: &str) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn text_and_lines_stand_out_from_the_ground() {
    let schemes: Vec<_> = STYLE.split(":root {").skip(1).collect();
    assert_eq!(schemes.len(), 3, "light, dark and print");
    for scheme in schemes {
        let scheme = scheme.split('}').next().unwrap();
        let colour = |name: &str| {
            let (_, value) = scheme.split_once(&format!("--{name}: ")).unwrap();
            &value[..7]
        };
        for ground in ["ground", "soft"] {
            for name in [
                "text", "muted", "good", "bad", "warning", "train", "evaluate", "server",
            ] {
                let contrast = contrast(colour(ground), colour(name));
                assert!(
                    contrast >= 4.5,
                    "{name} on {ground}: {contrast:.2} in {scheme}"
                );
            }
        }
    }
}
