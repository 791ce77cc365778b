//! The importers against real files that were changed at random, for as long as one likes:
//!
//! `TOLLGATE_FUZZ_SECONDS=3600 cargo test --lib import::tests::fuzz -- --ignored --nocapture`
//!
//! A file that makes a reader panic, take longer than [`TOO_LONG`], or give a model that does not serve, stops it; its
//! bytes are then written to the folder for temporary files, and the message names it. `TOLLGATE_FUZZ_SEED` begins
//! elsewhere. Seconds are the processor's where the system tells them, so that a machine that has other things to do
//! makes no file slow. Absent: coverage guidance, which needs a nightly compiler.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::*;
use crate::learn::SplitMix64;

/// No file of these sizes may take so long to read.
const TOO_LONG: Duration = Duration::from_secs(20);

/// Numbers at which readers have gone wrong before.
const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "-1",
    "1",
    "2",
    "127",
    "128",
    "255",
    "256",
    "32767",
    "65535",
    "65536",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "1e39",
    "1e308",
    "1e309",
    "-1e309",
    "1e-320",
    "NaN",
    "nan",
    "inf",
    "-Infinity",
    "null",
    "\"\"",
    "[]",
    "{}",
    "0x10",
    "1_000",
];

/// The same seed changes the same files in the same way.
struct Random(SplitMix64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0.roll()
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

/// Where a run of these bytes begins and ends, from a random place on.
fn run_of(bytes: &[u8], is: impl Fn(&u8) -> bool, random: &mut Random) -> Option<(usize, usize)> {
    let from = random.below(bytes.len());
    let start = from + bytes[from..].iter().position(&is)?;
    let end = start + bytes[start..].iter().position(|byte| !is(byte)).unwrap_or(bytes.len() - start);
    Some((start, end))
}

fn change(bytes: &mut Vec<u8>, others: &[Vec<u8>], random: &mut Random) {
    if bytes.is_empty() {
        return;
    }
    let at = random.below(bytes.len());
    let until = |random: &mut Random, most: usize| (at + 1 + random.below(most)).min(bytes.len());
    match random.below(12) {
        0 => bytes[at] = random.next() as u8,
        1 => bytes[at] ^= 1 << random.below(8),
        2 => drop(bytes.drain(at..until(random, 64))),
        3 => {
            let piece = bytes[at..until(random, 256)].to_vec();
            let to = random.below(bytes.len());
            bytes.splice(to..to, piece);
        }
        4 => {
            let other = &others[random.below(others.len())];
            let from = random.below(other.len());
            let to = (from + 1 + random.below(512)).min(other.len());
            bytes.splice(at..at, other[from..to].iter().copied());
        }
        5 => bytes.truncate(at),
        6..=8 => {
            let is_number = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
            if let Some((start, end)) = run_of(bytes, is_number, random) {
                let number = NUMBERS[random.below(NUMBERS.len())];
                bytes.splice(start..end, number.bytes());
            }
        }
        9 => {
            if let Some((start, end)) = run_of(bytes, u8::is_ascii_alphabetic, random) {
                let (other_start, other_end) =
                    run_of(bytes, u8::is_ascii_alphabetic, random).unwrap_or((start, end));
                let word = bytes[other_start..other_end].to_vec();
                bytes.splice(start..end, word);
            }
        }
        // What is binary has lengths and counts of one, two, four or eight bytes.
        10 => {
            let width = 1 << random.below(4);
            let number = [0, 1, u64::MAX, 1 << 31, (1 << 31) - 1, 1 << 20, 127, 128][random.below(8)];
            for (byte, new) in bytes[at..].iter_mut().zip(number.to_be_bytes().into_iter().rev().take(width))
            {
                *byte = new;
            }
        }
        _ => {
            let repeated = vec![bytes[at]; 1 + random.below(4096)];
            bytes.splice(at..at, repeated);
        }
    }
}

/// The time that this thread has had a processor; of a system that does not say it, the time that went by.
fn spent(since: Instant) -> Duration {
    let told = fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = told.and_then(|told| told.split(' ').next()?.parse().ok());
    nanos.map_or_else(|| since.elapsed(), Duration::from_nanos)
}

pub(super) fn fixtures() -> Vec<(PathBuf, Vec<u8>)> {
    let is_model = |path: &PathBuf| {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        ["json", "ubj", "txt", "onnx", "pmml"].contains(&ending)
    };
    let mut paths: Vec<PathBuf> =
        fs::read_dir(fixture("")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(is_model);
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(&path).unwrap())).collect()
}

#[test]
#[ignore = "goes on for as long as one likes"]
fn files_that_were_changed_at_random_are_read_or_refused() {
    let number = |name: &str, usual: u64| std::env::var(name).map_or(usual, |text| text.parse().unwrap());
    let (seconds, seed) = (number("TOLLGATE_FUZZ_SECONDS", 60), number("TOLLGATE_FUZZ_SEED", 1));
    let files = fixtures();
    let others: Vec<Vec<u8>> = files.iter().map(|(_, bytes)| bytes.clone()).collect();
    // Small files are read many times while a large one is read once.
    let weights: Vec<usize> = others.iter().map(|bytes| 1 + 200_000 / (bytes.len() + 2_000)).collect();
    let all: usize = weights.iter().sum();
    let (mut random, started) = (Random(SplitMix64(seed)), Instant::now());
    let (mut tried, mut accepted, mut slowest) = (0_u64, 0_u64, Duration::ZERO);
    let before = spent(started);
    while (spent(started) - before).as_secs() < seconds {
        let mut left = random.below(all);
        let at = weights.iter().position(|weight| {
            let here = left < *weight;
            left = left.saturating_sub(*weight);
            here
        });
        let (path, bytes) = &files[at.unwrap_or(0)];
        let mut bytes = bytes.clone();
        for _ in 0..1 + random.below(6) {
            change(&mut bytes, &others, &mut random);
        }
        let begun = spent(started);
        let result = catch_unwind(AssertUnwindSafe(|| try_read(&bytes)));
        let took = spent(started) - begun;
        let is_wrong = match &result {
            Err(_) => true,
            // Written and read back as an artefact: what is accepted has to serve.
            Ok(Err(ImportError::Artefact(error))) => {
                matches!(error, artefact::ArtefactError::GoldenDiffers { .. })
            }
            Ok(_) => took > TOO_LONG,
        };
        if is_wrong {
            let kept = std::env::temp_dir().join(format!("tollgate-fuzz-{seed}-{tried}"));
            fs::write(&kept, &bytes).unwrap();
            panic!("{} changed to {}: {took:?}, {:?}", path.display(), kept.display(), result.ok());
        }
        tried += 1;
        accepted += u64::from(matches!(result, Ok(Ok(()))));
        slowest = slowest.max(took);
    }
    eprintln!("{tried} files tried, {accepted} accepted, the slowest in {slowest:?}");
    assert!(tried > 0);
}
