//! Which hashes are read, and how passwords are hashed: the bcrypt computations of each, in their order.

use std::mem;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine;
use base64::alphabet;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::{NO_PAD, STANDARD};
use ring::hmac;
use roster_bcrypt_lanes::{Cost, Key};
use roster_domain::ports::Verdict;
use roster_domain::values::{Password, PasswordHash};
use secrecy::zeroize::Zeroizing;
use subtle::ConstantTimeEq;
use tokio::time::Instant;

use crate::work::{Raw, Step, Work};

/// The costs that may be set, and those of stored hashes that are read: one far dearer would hold a thread for minutes.
const COSTS: RangeInclusive<u32> = 4..=16;

/// How many bytes bcrypt reads; of fewer, it reads a NUL at their end as well.
const BCRYPT_BYTES: usize = 72;

/// How many bytes of what bcrypt computes a hash holds.
const CHECKSUM_BYTES: usize = 23;

const SHA256_PREFIX: &str = "$bcrypt-sha256$v=2,t=2b,r=";
const SALT_LETTERS: usize = 22;
const BCRYPT_BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::BCRYPT, NO_PAD);

/// A cost that may be set.
pub(crate) fn cost(number: u32) -> Option<Cost> {
    Cost::new(number).filter(|cost| COSTS.contains(&cost.get()))
}

/// The costs that count.
#[derive(Debug)]
pub(crate) struct Costs {
    pub(crate) of_new: Cost,
    /// The dearest that a stored hash may have: whatever doesn't match takes its time.
    dearest: AtomicU32,
}

impl Costs {
    /// `dearest` counts as far as it is dearer than new hashes, and may be set.
    pub(crate) fn new(of_new: Cost, dearest: u32) -> Self {
        Self { of_new, dearest: AtomicU32::new(dearest.min(*COSTS.end()).max(of_new.get())) }
    }

    /// The dearest cost, which that of a stored hash may be from now on.
    fn dearest_with(&self, stored: Option<&Stored>) -> Cost {
        let cost = stored.map_or(self.of_new, |stored| stored.cost);
        let before = self.dearest.fetch_max(cost.get(), Ordering::Relaxed);
        Cost::new(before).map_or(cost, |before| before.max(cost))
    }
}

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

    /// What bcrypt is given of a password.
    fn key(self, password: &[u8], salt: [u8; 16]) -> Key {
        match self {
            Self::Bcrypt => Key::of_password(password),
            Self::BcryptSha256 => Key::of_password(digest(password, salt).as_slice()),
        }
    }
}

/// What `$bcrypt-sha256$v=2` gives to bcrypt in the password's stead. The key is the salt's text, not its bytes.
fn digest(password: &[u8], salt: [u8; 16]) -> Zeroizing<[u8; 44]> {
    let salt = BCRYPT_BASE64.encode(salt);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, salt.as_bytes()), password);
    let mut text = Zeroizing::new([0; 44]);
    STANDARD.encode_slice(tag, text.as_mut_slice()).expect("32 bytes are 44 letters of Base64");
    text
}

/// Hashes a password as we do it today.
pub(crate) struct Hash {
    password: Password,
    cost: Cost,
    salt: [u8; 16],
}

impl Hash {
    pub(crate) fn new(password: Password, cost: Cost, salt: [u8; 16]) -> Self {
        Self { password, cost, salt }
    }

    fn scheme(&self) -> Scheme {
        Scheme::of(self.password.expose().as_bytes())
    }

    fn raw(&self) -> Raw {
        let key = self.scheme().key(self.password.expose().as_bytes(), self.salt);
        Raw { cost: self.cost, salt: self.salt, key }
    }

    fn text(&self, hash: [u8; 24]) -> PasswordHash {
        let cost = self.cost.get();
        let salt = BCRYPT_BASE64.encode(self.salt);
        let checksum = BCRYPT_BASE64.encode(&hash[..CHECKSUM_BYTES]);
        PasswordHash::new(match self.scheme() {
            Scheme::Bcrypt => format!("$2b${cost:02}${salt}{checksum}"),
            Scheme::BcryptSha256 => format!("{SHA256_PREFIX}{cost}${salt}${checksum}"),
        })
    }
}

impl Work for Hash {
    type Answer = PasswordHash;

    fn begin(&mut self, _end: Instant) -> Step<PasswordHash> {
        Step::Hash(self.raw())
    }

    fn go_on(&mut self, hash: [u8; 24]) -> Step<PasswordHash> {
        Step::Done(self.text(hash))
    }
}

/// Checks a password. Whatever the stored hash is, finding that it does not match takes as many rounds as a bcrypt of the
/// dearest cost.
pub(crate) struct Check {
    /// The password and how we would hash it today.
    today: Hash,
    costs: Arc<Costs>,
    state: State,
}

enum State {
    /// It has not begun. What is stored, if it can be read.
    Waits(Option<Stored>),
    Compares {
        stored: Stored,
        dearest: Cost,
        began: Instant,
        end: Instant,
    },
    /// It does not match. What is left to spend are the costs from the next to the dearest.
    Spends {
        next: u32,
        dearest: Cost,
    },
    /// It matches, and is hashed anew.
    Renews,
}

impl Check {
    /// A match is hashed anew with this salt where we would make its hash otherwise today.
    pub(crate) fn new(
        password: Password,
        hash: Option<&PasswordHash>,
        salt: [u8; 16],
        costs: Arc<Costs>,
    ) -> Self {
        let stored = hash.and_then(|hash| Stored::read(hash.expose()));
        Self { today: Hash::new(password, costs.of_new, salt), costs, state: State::Waits(stored) }
    }

    /// Takes the time of the next cost below the dearest, if any is left. Each cost takes twice the time of the one below:
    /// with that of the stored hash they add up to the dearest.
    fn spend(&mut self, next: u32, dearest: Cost) -> Step<Verdict> {
        match Cost::new(next).filter(|next| *next < dearest) {
            Some(cost) => {
                self.state = State::Spends { next: next + 1, dearest };
                Step::Hash(Raw::of_nobody(cost))
            }
            None => Step::Done(Verdict::Mismatch),
        }
    }

    fn matched(&mut self, stored: &Stored, began: Instant, end: Instant) -> Step<Verdict> {
        let Hash { cost, .. } = self.today;
        if stored.is_of_today && stored.scheme == self.today.scheme() && stored.cost == cost {
            return Step::Done(Verdict::Match);
        }
        // Here and now, not in the queue again. Where that may take too long, the next log-in will do.
        let times = 1 << cost.get().saturating_sub(stored.cost.get());
        if Instant::now() + began.elapsed() * times * 2 < end {
            self.state = State::Renews;
            Step::Hash(self.today.raw())
        } else {
            Step::Done(Verdict::Match)
        }
    }
}

impl Work for Check {
    type Answer = Verdict;

    fn begin(&mut self, end: Instant) -> Step<Verdict> {
        let password = self.today.password.expose().as_bytes();
        let State::Waits(stored) = mem::replace(&mut self.state, State::Waits(None)) else {
            unreachable!("it begins once")
        };
        let dearest = self.costs.dearest_with(stored.as_ref());
        // Nobody has ever made a plain hash of a password with a NUL; that of another could pass for it.
        let may_be_of_it = |stored: &Stored| stored.scheme != Scheme::Bcrypt || !password.contains(&0);
        if let Some(stored) = stored.filter(may_be_of_it) {
            let key = stored.scheme.key(password, stored.salt);
            let raw = Raw { cost: stored.cost, salt: stored.salt, key };
            self.state = State::Compares { stored, dearest, began: Instant::now(), end };
            Step::Hash(raw)
        } else {
            // At once and not in parts, since to begin a bcrypt takes time too.
            self.state = State::Spends { next: dearest.get(), dearest };
            Step::Hash(Raw::of_nobody(dearest))
        }
    }

    fn go_on(&mut self, hash: [u8; 24]) -> Step<Verdict> {
        match mem::replace(&mut self.state, State::Waits(None)) {
            State::Waits(_) => unreachable!("what has not begun asked for no hash"),
            State::Compares { stored, dearest, began, end } => {
                if stored.checksum.ct_eq(&hash[..CHECKSUM_BYTES]).into() {
                    self.matched(&stored, began, end)
                } else {
                    self.spend(stored.cost.get(), dearest)
                }
            }
            State::Spends { next, dearest } => self.spend(next, dearest),
            State::Renews => Step::Done(Verdict::MatchOutdated(self.today.text(hash))),
        }
    }
}

/// A stored hash, taken apart.
struct Stored {
    scheme: Scheme,
    cost: Cost,
    salt: [u8; 16],
    checksum: [u8; CHECKSUM_BYTES],
    /// Whether the hash is written as we write those of its scheme.
    is_of_today: bool,
}

impl Stored {
    fn read(hash: &str) -> Option<Self> {
        let (scheme, cost_text, salt, checksum, is_of_today) =
            if let Some(rest) = hash.strip_prefix(SHA256_PREFIX) {
                let (cost, rest) = rest.split_once('$')?;
                let (salt, checksum) = rest.split_once('$')?;
                (Scheme::BcryptSha256, cost, salt, checksum, true)
            } else {
                let (version, rest) = hash.strip_prefix('$')?.split_once('$')?;
                let (cost, rest) = rest.split_once('$').filter(|(cost, _)| cost.len() == 2)?;
                let is_of_today = match version {
                    "2b" => true,
                    "2a" | "2y" => false,
                    _ => return None,
                };
                let (salt, checksum) = rest.split_at_checked(SALT_LETTERS)?;
                (Scheme::Bcrypt, cost, salt, checksum, is_of_today)
            };
        Some(Self {
            scheme,
            cost: cost(cost_text.parse().ok()?)?,
            salt: bytes(salt)?,
            checksum: bytes(checksum)?,
            is_of_today,
        })
    }
}

/// So many bytes in bcrypt's Base64, and no others.
fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    BCRYPT_BASE64.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rstest::rstest;

    use super::*;

    const COST: u32 = 4;

    fn password(text: &str) -> Password {
        Password::parse(text.to_owned()).unwrap()
    }

    /// Does the work here and now. How many rounds that took is told too.
    fn alone<W: Work>(mut work: W) -> (W::Answer, u32) {
        let mut step = work.begin(Instant::now() + Duration::from_mins(1));
        let mut rounds = 0;
        loop {
            match step {
                Step::Done(answer) => return (answer, rounds),
                Step::Hash(Raw { cost, salt, key }) => {
                    rounds += cost.rounds();
                    let [hash] = roster_bcrypt_lanes::bcrypt([(cost, &salt, &key)]);
                    step = work.go_on(hash);
                }
            }
        }
    }

    fn hash(password: &Password, cost: u32, salt: [u8; 16]) -> PasswordHash {
        alone(Hash::new(password.clone(), Cost::new(cost).unwrap(), salt)).0
    }

    fn check(password: &Password, hash: Option<&PasswordHash>, cost: u32) -> (Verdict, u32) {
        check_with(password, hash, &costs(cost, cost))
    }

    fn check_with(password: &Password, hash: Option<&PasswordHash>, costs: &Arc<Costs>) -> (Verdict, u32) {
        alone(Check::new(password.clone(), hash, [2; 16], Arc::clone(costs)))
    }

    fn costs(of_new: u32, dearest: u32) -> Arc<Costs> {
        Arc::new(Costs::new(Cost::new(of_new).unwrap(), dearest))
    }

    fn verify(password: &Password, hash: Option<&PasswordHash>, cost: u32) -> Verdict {
        check(password, hash, cost).0
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
        let hash = hash(&password(text), cost, salt);
        assert_eq!(hash.expose(), expected);
        assert_eq!(verify(&password(text), Some(&hash), cost), Verdict::Match);
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
        let Verdict::MatchOutdated(new) = verify(&password(text), Some(&hash), COST) else {
            panic!("we would make it otherwise");
        };
        assert_eq!(verify(&password(text), Some(&new), COST), Verdict::Match);
        assert_eq!(verify(&password("another"), Some(&hash), COST), Verdict::Mismatch);
    }

    #[test]
    fn a_match_takes_one_hash_and_a_new_one_a_second() {
        let (cheap, todays) = (hash(&password("a"), 4, [1; 16]), hash(&password("a"), 7, [1; 16]));
        let (verdict, rounds) = check(&password("a"), Some(&todays), 7);
        assert_eq!((verdict, rounds), (Verdict::Match, 1 << 7));
        let (verdict, rounds) = check(&password("a"), Some(&cheap), 7);
        assert!(matches!(verdict, Verdict::MatchOutdated(_)), "{verdict:?}");
        assert_eq!(rounds, (1 << 4) + (1 << 7));
    }

    #[rstest]
    #[case::of_one_digit("$2b$4$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e")]
    #[case::of_three_digits("$2b$004$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e")]
    fn a_cost_that_bcrypt_does_not_write_is_not_read(#[case] hash: &str) {
        let hash = PasswordHash::new(hash.to_owned());
        assert_eq!(verify(&password("correct horse"), Some(&hash), COST), Verdict::Mismatch);
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
        assert_eq!(verify(&password("correct horse"), Some(&hash), COST), Verdict::Mismatch);
    }

    #[test]
    fn a_nul_in_a_password_does_not_make_it_another_ones_repetition() {
        let plain = hash(&password("a"), COST, [1; 16]);
        assert_eq!(verify(&password("a"), Some(&plain), COST), Verdict::Match);
        assert_eq!(verify(&password("a\0a"), Some(&plain), COST), Verdict::Mismatch);
        let digested = hash(&password("a\0a"), COST, [1; 16]);
        assert_eq!(verify(&password("a\0a"), Some(&digested), COST), Verdict::Match);
        assert_eq!(verify(&password("a"), Some(&digested), COST), Verdict::Mismatch);
        assert_eq!(verify(&password("a\0b"), Some(&digested), COST), Verdict::Mismatch);
    }

    /// In rounds, of which each takes the same time: a thread takes them in all its lanes at once, whosever they are.
    #[rstest]
    #[case::no_hash("correct horse", None, 1 << 7)]
    #[case::no_hash_for_a_long_one(&"x".repeat(1024), None, 1 << 7)]
    #[case::unreadable("correct horse", Some("unreadable".to_owned()), 1 << 7)]
    #[case::wrong("correct horse", Some(of_another(7)), 1 << 7)]
    #[case::wrong_for_a_long_one(&"x".repeat(1024), Some(of_another(7)), 1 << 7)]
    #[case::wrong_and_the_hash_cheaper("correct horse", Some(of_another(4)), 1 << 7)]
    #[case::wrong_and_the_hash_dearer("correct horse", Some(of_another(9)), 1 << 9)]
    #[case::with_a_nul("a\0a", Some(of_another(7)), 1 << 7)]
    fn whatever_does_not_match_takes_the_time_of_one_hash(
        #[case] text: &str,
        #[case] stored: Option<String>,
        #[case] rounds: u32,
    ) {
        let stored = stored.map(PasswordHash::new);
        assert_eq!(check(&password(text), stored.as_ref(), 7), (Verdict::Mismatch, rounds));
    }

    /// Whatever costs stored hashes have, the one that is set among them or not.
    #[test]
    fn whatever_does_not_match_takes_the_time_of_the_dearest_hash_that_there_may_be() {
        const DEAREST: u32 = 7;
        let long = "x".repeat(80);
        let mut stored = vec![None, Some(PasswordHash::new("unreadable".to_owned()))];
        for cost in 4..=DEAREST {
            stored.extend(["another", &long].map(|text| Some(hash(&password(text), cost, [1; 16]))));
        }
        for of_new in 4..=DEAREST {
            let costs = costs(of_new, DEAREST);
            for hash in &stored {
                for text in ["correct horse", "a\0a", &"y".repeat(80)] {
                    let found = check_with(&password(text), hash.as_ref(), &costs);
                    assert_eq!(found, (Verdict::Mismatch, 1 << DEAREST), "{text:?} at {of_new}, {hash:?}");
                }
            }
        }
    }

    #[test]
    fn a_hash_that_is_dearer_than_any_before_counts_from_then_on() {
        let costs = costs(4, 5);
        let dearer = PasswordHash::new(of_another(7));
        let rounds = |hash| check_with(&password("correct horse"), hash, &costs).1;
        assert_eq!(rounds(None), 1 << 5);
        assert_eq!(rounds(Some(&dearer)), 1 << 7);
        assert_eq!(rounds(None), 1 << 7);
    }

    fn of_another(cost: u32) -> String {
        hash(&password("another"), cost, [1; 16]).expose().to_owned()
    }
}
