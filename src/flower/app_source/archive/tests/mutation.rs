//! Archives with random damage: an error or files, but no panic and no excess.

#![allow(clippy::cast_possible_truncation)]

use super::super::test_archives::*;
use super::*;

/// A small generator, so that a failure repeats.
struct Random(u64);

impl Random {
    fn next(&mut self) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 as usize
    }

    fn below(&mut self, limit: usize) -> usize {
        self.next() % limit.max(1)
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let mut link = zip_entry("r/link", "q/s.py");
    link.mode = 0o120_777;
    let mut stored = zip_entry("r/q/b.py", "b = 1\n".repeat(20));
    stored.method = STORED;
    let zipped = zip(&[
        zip_entry("r/pyproject.toml", "[project]\n"),
        zip_entry("r/q/s.py", "app = 1\n".repeat(50)),
        stored,
        link,
    ]);
    let tared = tar(&[
        tar_entry(b'0', "r/pyproject.toml", "[project]\n"),
        tar_entry(b'L', "././@LongLink", "r/q/long.py\0"),
        tar_entry(b'0', "x", "app = 1\n".repeat(50)),
        tar_entry(b'x', "p", "17 path=r/q/p.py\n"),
        tar_entry(b'0', "x", "app = 1\n"),
        tar_link(b'2', "r/link", "q/s.py"),
    ]);
    let members = [gzip(&tared[..1000]), gzip(&tared[1000..])].concat();
    vec![zipped, gzip(&tared), members, tared]
}

fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    const SPECIAL: [u8; 8] = [0, 1, 0x7f, 0x80, 0xff, b'/', b'.', b'P'];
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len());
        let Some(byte) = bytes.get(at).copied() else {
            return;
        };
        match random.below(7) {
            0 => bytes[at] = byte ^ (1 << random.below(8)),
            1 => bytes[at] = SPECIAL[random.below(SPECIAL.len())],
            2 => bytes.truncate(at),
            3 => bytes.insert(at, random.next() as u8),
            4 => {
                let end = (at + random.below(64)).min(bytes.len());
                bytes.drain(at..end);
            }
            5 => {
                let end = (at + random.below(600)).min(bytes.len());
                let copy = bytes[at..end].to_vec();
                let to = random.below(bytes.len());
                bytes.splice(to..to, copy);
            }
            _ => {
                let value = [0_u32, 1, 0xffff, u32::MAX, random.next() as u32][random.below(5)];
                for (offset, byte) in value.to_le_bytes().into_iter().enumerate() {
                    if let Some(place) = bytes.get_mut(at + offset) {
                        *place = byte;
                    }
                }
            }
        }
    }
}

/// A checksum that fits, so that a damaged tar header is not refused for that reason alone.
fn repair(bytes: &mut [u8]) {
    for block in bytes.chunks_exact_mut(512) {
        if block[257..262] == *b"ustar" {
            let mut header = ::tar::Header::from_byte_slice(block).clone();
            header.set_cksum();
            block.copy_from_slice(header.as_bytes());
        }
    }
}

#[test]
fn random_damage_does_no_harm() {
    const CASES: usize = 20_000;
    let limits = Limits {
        unpacked: 1 << 20,
        kept: 1 << 18,
        entries: 50,
        path: 200,
        ratio: 200,
    };
    let seeds = seeds();
    let mut random = Random(0x5eed_5eed_5eed_5eed);
    let (mut good, mut bad) = (0, 0);
    for case in 0..CASES {
        let mut bytes = seeds[case % seeds.len()].clone();
        mutate(&mut bytes, &mut random);
        if case % 3 != 0 {
            repair(&mut bytes);
        }
        let subdirectory = [None, Some("q"), Some("r")][random.below(3)];
        match unpack(&mut Cursor::new(&bytes), subdirectory, &limits, &|_| true) {
            Ok(unpacked) => {
                good += 1;
                let size: usize = unpacked.files.values().map(Vec::len).sum();
                assert!(size as u64 <= limits.kept && unpacked.files.len() <= limits.entries);
                // Each path is one that a tree accepts.
                assert!(AppTree::from_unpacked(unpacked).is_ok());
            }
            Err(error) => {
                bad += 1;
                assert!(error.to_string().len() < 20_000);
                let _ = error.remedy();
            }
        }
    }
    assert!(good > 100 && bad > 1000, "{good} {bad}");
}
