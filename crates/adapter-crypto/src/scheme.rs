//! How passwords are hashed, and which hashes are read. It works on the thread that calls it, for as long as that takes.

use std::hint::black_box;
use std::ops::RangeInclusive;

use base64::Engine;
use base64::alphabet;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::{NO_PAD, STANDARD};
use bcrypt::BcryptError;
use ring::hmac;
use roster_domain::values::{Password, PasswordHash};
use secrecy::zeroize::Zeroizing;

/// The costs that may be set, and those of stored hashes that are read: one far dearer would hold a thread for minutes.
pub(crate) const COSTS: RangeInclusive<u32> = 4..=16;

/// How many bytes bcrypt reads; of fewer, it reads a NUL at their end as well.
const BCRYPT_BYTES: usize = 72;

const SHA256_PREFIX: &str = "$bcrypt-sha256$v=2,t=2b,r=";
const SALT_LETTERS: usize = 22;
const BCRYPT_BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::BCRYPT, NO_PAD);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    /// Plain bcrypt, `$2b$`.
    Bcrypt,
    /// Passlib's `$bcrypt-sha256$v=2`: bcrypt of a digest, which counts every byte.
    BcryptSha256,
}

impl Scheme {
    /// The plain one, unless it could take the password for another: it does not see the 73rd byte, and as it reads a short
    /// password over and over, each time with a NUL at the end, `a` and `a\0a` are one to it.
    fn of(password: &[u8]) -> Self {
        if password.len() < BCRYPT_BYTES && !password.contains(&0) {
            Self::Bcrypt
        } else {
            Self::BcryptSha256
        }
    }
}

/// Hashes a password as we do it today.
pub(crate) fn hash(password: &Password, cost: u32, salt: [u8; 16]) -> Result<PasswordHash, BcryptError> {
    let password = password.expose().as_bytes();
    let text = match Scheme::of(password) {
        Scheme::Bcrypt => bcrypt::hash_with_salt(password, cost, salt)?.to_string(),
        Scheme::BcryptSha256 => {
            let salt_text = BCRYPT_BASE64.encode(salt);
            let hash = bcrypt::hash_with_salt(*digest(password, &salt_text), cost, salt)?.to_string();
            let checksum = &hash["$2b$12$".len() + SALT_LETTERS..];
            format!("{SHA256_PREFIX}{cost}${salt_text}${checksum}")
        }
    };
    Ok(PasswordHash::new(text))
}

/// What [`verify`] found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Mismatch,
    Match,
    /// It matches, but we would make it otherwise today; that takes so many times as long as the check.
    MatchOutdated {
        times: u32,
    },
}

/// The cost of a stored hash, where it can be read.
pub(crate) fn cost_of(hash: &PasswordHash) -> Option<u32> {
    Stored::read(hash.expose()).map(|stored| stored.cost)
}

/// Checks a password. Whatever the hash is, finding that it does not match takes as long as a bcrypt of the `dearest` cost,
/// or longer where the hash is dearer still. A hash of another cost than `cost` is outdated.
pub(crate) fn verify(password: &Password, hash: Option<&PasswordHash>, cost: u32, dearest: u32) -> Verdict {
    let password = password.expose().as_bytes();
    let scheme = Scheme::of(password);
    let stored = hash.and_then(|hash| Stored::read(hash.expose()));
    let matched = stored.as_ref().and_then(|stored| stored.matches(password));
    match (stored, matched) {
        (Some(stored), Some(true))
            if stored.is_of_today && stored.scheme == scheme && stored.cost == cost =>
        {
            Verdict::Match
        }
        (Some(stored), Some(true)) => Verdict::MatchOutdated { times: 1 << cost.saturating_sub(stored.cost) },
        (Some(stored), Some(false)) => {
            // Each cost takes twice the time of the one below: with these it adds up to that of the dearest.
            (stored.cost..dearest).for_each(spend);
            Verdict::Mismatch
        }
        _ => {
            spend(dearest);
            Verdict::Mismatch
        }
    }
}

/// Takes the time of one bcrypt.
fn spend(cost: u32) {
    count(cost);
    black_box(bcrypt::bcrypt(cost, [0; 16], black_box(b"\0")));
}

/// Counts the work of a check, for tests.
#[cfg(test)]
fn count(cost: u32) {
    tests::WORK.set(tests::WORK.get() + (1_u64 << cost));
}

#[cfg(not(test))]
const fn count(_cost: u32) {}

/// A stored hash, taken apart.
struct Stored {
    scheme: Scheme,
    cost: u32,
    /// Whether the hash is written as we write those of its scheme.
    is_of_today: bool,
    /// The bcrypt in it, as a `$2…$` hash.
    bcrypt: String,
}

impl Stored {
    fn read(hash: &str) -> Option<Self> {
        let stored = if let Some(rest) = hash.strip_prefix(SHA256_PREFIX) {
            let (cost, rest) = rest.split_once('$')?;
            let (salt, checksum) = rest.split_once('$').filter(|(salt, _)| salt.len() == SALT_LETTERS)?;
            let cost = cost.parse().ok()?;
            let bcrypt = format!("$2b${cost:02}${salt}{checksum}");
            Self { scheme: Scheme::BcryptSha256, cost, is_of_today: true, bcrypt }
        } else {
            let (version, rest) = hash.strip_prefix('$')?.split_once('$')?;
            let (cost, _) = rest.split_once('$').filter(|_| matches!(version, "2a" | "2b" | "2y"))?;
            let (cost, is_of_today) = (cost.parse().ok()?, version == "2b");
            Self { scheme: Scheme::Bcrypt, cost, is_of_today, bcrypt: hash.to_owned() }
        };
        COSTS.contains(&stored.cost).then_some(stored)
    }

    /// Whether the hash is the password's, in constant time; `None` where that could be told without a bcrypt.
    fn matches(&self, password: &[u8]) -> Option<bool> {
        match self.scheme {
            // Nobody has ever made a plain hash of such a password; that of another could pass for it.
            Scheme::Bcrypt if password.contains(&0) => None,
            Scheme::Bcrypt => {
                count(self.cost);
                let read = &password[..password.len().min(BCRYPT_BYTES)];
                bcrypt::verify(read, &self.bcrypt).ok()
            }
            Scheme::BcryptSha256 => {
                count(self.cost);
                let salt = self.bcrypt.get("$2b$12$".len()..)?.get(..SALT_LETTERS)?;
                bcrypt::verify(*digest(password, salt), &self.bcrypt).ok()
            }
        }
    }
}

/// What `$bcrypt-sha256$v=2` gives to bcrypt in the password's stead. The key is the salt's text, not its bytes.
fn digest(password: &[u8], salt: &str) -> Zeroizing<[u8; 44]> {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, salt.as_bytes()), password);
    let mut text = Zeroizing::new([0; 44]);
    STANDARD.encode_slice(tag, text.as_mut_slice()).expect("32 bytes are 44 letters of Base64");
    text
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const COST: u32 = 4;

    thread_local! {
        /// How much bcrypt the checks of this thread took: each cost is twice the one below.
        pub(super) static WORK: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
    }

    fn password(text: &str) -> Password {
        Password::parse(text.to_owned()).unwrap()
    }

    /// What passlib 1.7.4 makes of the password, with this cost and the salt `abcdefghijklmnopqrstuu`.
    #[rstest]
    #[case::plain("correct horse", 4, "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e")]
    #[case::unicode("pässwörd ✓", 4, "$2b$04$abcdefghijklmnopqrstuuESmz2KlYgnhSMqAh8U2JHaWhc4kF.6a")]
    #[case::of_71_bytes(&"x".repeat(71), 4, "$2b$04$abcdefghijklmnopqrstuu.gc7UY/21CSNJGJg21jJzx9QiOpJ9bO")]
    #[case::of_72_bytes(
        &"x".repeat(72),
        4,
        "$bcrypt-sha256$v=2,t=2b,r=4$abcdefghijklmnopqrstuu$UcE/FidBRHar244/Q5uEmKIL/wvbnay"
    )]
    #[case::of_72_bytes_at_another_cost(
        &"x".repeat(72),
        5,
        "$bcrypt-sha256$v=2,t=2b,r=5$abcdefghijklmnopqrstuu$gd8Tit9.VbSKuUND3aVIHRm5/8K51zG"
    )]
    #[case::of_72_bytes_at_a_cost_of_two_digits(
        &"x".repeat(72),
        12,
        "$bcrypt-sha256$v=2,t=2b,r=12$abcdefghijklmnopqrstuu$epLpL4NlgpevBPfS6UfMdnAvV6dcPfi"
    )]
    #[case::of_200_bytes(
        &"é".repeat(100),
        4,
        "$bcrypt-sha256$v=2,t=2b,r=4$abcdefghijklmnopqrstuu$W0ckcXWPbV/3BR1IU4vLAM9CrRkmCLa"
    )]
    #[case::with_a_nul(
        "a\0a",
        4,
        "$bcrypt-sha256$v=2,t=2b,r=4$abcdefghijklmnopqrstuu$C0XnswYEienGvpmnApC9WPYBNCgQhRq"
    )]
    fn a_hash_is_the_one_that_passlib_makes(#[case] text: &str, #[case] cost: u32, #[case] expected: &str) {
        let salt = BCRYPT_BASE64.decode("abcdefghijklmnopqrstuu").unwrap().try_into().unwrap();
        let hash = hash(&password(text), cost, salt).unwrap();
        assert_eq!(hash.expose(), expected);
        assert_eq!(verify(&password(text), Some(&hash), cost, cost), Verdict::Match);
    }

    #[rstest]
    #[case::of_version_2a("correct horse", "$2a$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e")]
    #[case::of_version_2y("pässwörd ✓", "$2y$04$abcdefghijklmnopqrstuuESmz2KlYgnhSMqAh8U2JHaWhc4kF.6a")]
    #[case::of_72_bytes(&"x".repeat(72), "$2b$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i")]
    #[case::that_is_cut(&"x".repeat(100), "$2b$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i")]
    #[case::cut_within_a_letter(
        &format!("{}é", "x".repeat(71)),
        "$2b$04$abcdefghijklmnopqrstuuBQHqZaO/dlDRZ.TvJ67we2MtFVZUvA2"
    )]
    #[case::of_another_cost(
        &"x".repeat(72),
        "$bcrypt-sha256$v=2,t=2b,r=5$abcdefghijklmnopqrstuu$gd8Tit9.VbSKuUND3aVIHRm5/8K51zG"
    )]
    #[case::short_though_digested(
        "correct horse",
        "$bcrypt-sha256$v=2,t=2b,r=4$abcdefghijklmnopqrstuu$DDZkjU09Vim05Ait7x7R.JfuHDNAppu"
    )]
    fn a_hash_that_we_would_make_otherwise_today_is_outdated(#[case] text: &str, #[case] hash: &str) {
        let hash = PasswordHash::new(hash.to_owned());
        assert_eq!(verify(&password(text), Some(&hash), COST, COST), Verdict::MatchOutdated { times: 1 });
        assert_eq!(verify(&password("another"), Some(&hash), COST, COST), Verdict::Mismatch);
    }

    #[test]
    fn each_cost_takes_twice_the_time_of_the_one_below() {
        let cheap = hash(&password("a"), COST, [1; 16]).unwrap();
        assert_eq!(
            verify(&password("a"), Some(&cheap), COST + 3, COST + 3),
            Verdict::MatchOutdated { times: 8 }
        );
    }

    #[rstest]
    #[case::empty("")]
    #[case::no_hash("correct horse")]
    #[case::short("$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6")]
    #[case::long("$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6ee")]
    #[case::not_base64("$2b$04$abcdefghijklmnopqrst!!jydOTSfIH/d5oUHpsygqV5X9xJLQc6e")]
    #[case::not_ascii("$2b$04$abcdefghijklmnopqrséujydOTSfIH/d5oUHpsygqV5X9xJLQc6e")]
    #[case::faulty_version("$2x$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e")]
    #[case::no_cost("$2b$xx$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e")]
    #[case::below_every_cost("$2b$03$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e")]
    #[case::beyond_every_cost("$2b$31$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e")]
    #[case::older_digest("$bcrypt-sha256$2b,4$abcdefghijklmnopqrstuu$DDZkjU09Vim05Ait7x7R.JfuHDNAppu")]
    #[case::shifted_salt(
        "$bcrypt-sha256$v=2,t=2b,r=4$abcdefghijklmnopqrstu$uDDZkjU09Vim05Ait7x7R.JfuHDNAppu"
    )]
    #[case::unfinished_digest("$bcrypt-sha256$v=2,t=2b,r=4$abcdefghijklmnopqrstuu")]
    #[case::not_ascii_digest(
        "$bcrypt-sha256$v=2,t=2b,r=4$abcdefghijklmnopqrstuu$éDZkjU09Vim05Ait7x7R.JfuHDNAppu"
    )]
    fn a_hash_that_cannot_be_read_is_no_match(#[case] hash: &str) {
        let hash = PasswordHash::new(hash.to_owned());
        assert_eq!(verify(&password("correct horse"), Some(&hash), COST, COST), Verdict::Mismatch);
    }

    #[test]
    fn a_nul_in_a_password_does_not_make_it_another_ones_repetition() {
        let plain = hash(&password("a"), COST, [1; 16]).unwrap();
        assert_eq!(verify(&password("a"), Some(&plain), COST, COST), Verdict::Match);
        assert_eq!(verify(&password("a\0a"), Some(&plain), COST, COST), Verdict::Mismatch);
        let digested = hash(&password("a\0a"), COST, [1; 16]).unwrap();
        assert_eq!(verify(&password("a\0a"), Some(&digested), COST, COST), Verdict::Match);
        assert_eq!(verify(&password("a"), Some(&digested), COST, COST), Verdict::Mismatch);
        assert_eq!(verify(&password("a\0b"), Some(&digested), COST, COST), Verdict::Mismatch);
    }

    /// Whatever costs stored hashes have, the one that is set among them or not.
    #[test]
    fn whatever_does_not_match_is_the_work_of_the_dearest_hash() {
        const DEAREST: u32 = 7;
        let unreadable = PasswordHash::new("unreadable".to_owned());
        let of_cost = |text: &str, cost| hash(&password(text), cost, [1; 16]).unwrap();
        let long = "x".repeat(80);
        let mut stored = vec![None, Some(unreadable)];
        stored.extend(
            (4..=DEAREST).flat_map(|cost| [Some(of_cost("another", cost)), Some(of_cost(&long, cost))]),
        );
        for cost in 4..=DEAREST {
            for hash in &stored {
                for text in ["correct horse", "a\0a", &"y".repeat(80)] {
                    WORK.set(0);
                    assert_eq!(verify(&password(text), hash.as_ref(), cost, DEAREST), Verdict::Mismatch);
                    assert_eq!(WORK.get(), 1 << DEAREST, "{text:?} at {cost}, {hash:?}");
                }
            }
        }
    }

    /// How long this thread has been on a processor: what others do meanwhile does not count.
    #[cfg(target_os = "linux")]
    fn nanoseconds_of(work: impl Fn()) -> u64 {
        let so_far = || {
            // The count is brought up to date when the thread is switched.
            std::thread::yield_now();
            let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
            text.split(' ').next().unwrap().parse::<u64>().unwrap()
        };
        let once = || {
            let before = so_far();
            work();
            so_far() - before
        };
        (0..3).map(|_| once()).min().unwrap()
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn whatever_does_not_match_takes_the_time_of_one_hash() {
        const COST: u32 = 10;
        let text = "correct horse";
        let of_cost = |cost| hash(&password("another"), cost, [1; 16]).unwrap();
        let hashing = nanoseconds_of(|| drop(hash(&password(text), COST, [1; 16])));
        let unreadable = PasswordHash::new("unreadable".to_owned());
        for (why, text, hash) in [
            ("no hash", text, None),
            ("no hash for a long one", &"x".repeat(1024), None),
            ("unreadable", text, Some(unreadable)),
            ("wrong", text, Some(of_cost(COST))),
            ("wrong, the hash being cheaper", text, Some(of_cost(COST - 3))),
            ("with a NUL", "a\0a", Some(of_cost(COST))),
        ] {
            let password = password(text);
            let time = nanoseconds_of(|| {
                assert_eq!(verify(&password, hash.as_ref(), COST, COST), Verdict::Mismatch)
            });
            // Not a measurement: what it must tell apart is no hash, or two, or one at another cost.
            assert!((hashing * 2 / 3..hashing * 3 / 2).contains(&time), "{why}: {time} ns, not {hashing}");
        }
    }
}
