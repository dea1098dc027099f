//! Blowfish, as far as bcrypt needs it, in several states at once.

use zeroize::Zeroize;

pub(crate) const WORDS_OF_P: usize = 18;
const BOXES: usize = 4;
const WORDS_OF_BOX: usize = 256;
const WORDS_OF_SALT: usize = 4;

type P = [u32; WORDS_OF_P];
type Boxes = [[u32; WORDS_OF_BOX]; BOXES];

/// What bcrypt encrypts at the end.
const MAGIC: &[u8; 24] = b"OrpheanBeholderScryDoubt";
const TIMES: usize = 64;

/// The digits of π behind the point, in hexadecimal, which `examples/pi.rs` computes. A test compares them.
const PI: &[u8] = include_bytes!("pi.hex");

static INITIAL: Blowfish = Blowfish::of_digits(PI);

/// A state, and what bcrypt mixes into it in turn.
pub(crate) struct Blowfish {
    s: Boxes,
    p: P,
    key: P,
    salt: P,
}

impl Blowfish {
    pub(crate) const ZERO: Self = Self {
        s: [[0; WORDS_OF_BOX]; BOXES],
        p: [0; WORDS_OF_P],
        key: [0; WORDS_OF_P],
        salt: [0; WORDS_OF_P],
    };

    const fn of_digits(digits: &[u8]) -> Self {
        let mut state = Self::ZERO;
        let mut word = 0;
        while word < WORDS_OF_P {
            state.p[word] = word_of_digits(digits, word);
            word += 1;
        }
        while word < WORDS_OF_P + BOXES * WORDS_OF_BOX {
            let of_boxes = word - WORDS_OF_P;
            state.s[of_boxes / WORDS_OF_BOX][of_boxes % WORDS_OF_BOX] = word_of_digits(digits, word);
            word += 1;
        }
        state
    }

    /// Begins anew with this key and salt, which come as often as there are words in `P`.
    pub(crate) fn begin(&mut self, key: &P, salt: &P) {
        self.s = INITIAL.s;
        self.p = INITIAL.p;
        self.key = *key;
        self.salt = *salt;
        self.mix_key();
        let mut half = salt[..WORDS_OF_SALT].iter().cycle();
        let mut half = || half.next().copied().unwrap_or_default();
        rewrite(&mut [self], |block| *block = [[block[0][0] ^ half()], [block[1][0] ^ half()]]);
    }

    fn mix_key(&mut self) {
        for (word, of_key) in self.p.iter_mut().zip(&self.key) {
            *word ^= of_key;
        }
    }

    fn mix_salt(&mut self) {
        for (word, of_salt) in self.p.iter_mut().zip(&self.salt) {
            *word ^= of_salt;
        }
    }

    /// What bcrypt makes of its state.
    pub(crate) fn hash(&mut self) -> [u8; 24] {
        let mut hash = *MAGIC;
        let (words, _) = hash.as_chunks_mut::<4>();
        let (blocks, _) = words.as_chunks_mut::<2>();
        for words in blocks {
            let mut block = words.map(|word| [u32::from_be_bytes(word)]);
            for _ in 0..TIMES {
                encrypt(&[&mut *self], &mut block);
            }
            *words = block.map(|[half]| half.to_be_bytes());
        }
        hash
    }
}

impl Zeroize for Blowfish {
    fn zeroize(&mut self) {
        self.s.zeroize();
        self.p.zeroize();
        self.key.zeroize();
        self.salt.zeroize();
    }
}

/// The word of eight digits, of which a line holds 64 and its end.
const fn word_of_digits(digits: &[u8], word: usize) -> u32 {
    let begin = word * 8 + word / 8;
    let (mut value, mut digit) = (0, 0);
    while digit < 8 {
        let letter = digits[begin + digit];
        value = value << 4
            | match letter {
                b'0'..=b'9' => letter - b'0',
                b'a'..=b'f' => letter - b'a' + 10,
                _ => panic!("no hexadecimal digit"),
            } as u32;
        digit += 1;
    }
    value
}

/// The left halves of one block for each state, and the right ones.
type Blocks<const N: usize> = [[u32; N]; 2];

/// A round of bcrypt in all states at once.
pub(crate) fn round<const N: usize>(states: &mut [&mut Blowfish; N]) {
    for state in states.iter_mut() {
        state.mix_key();
    }
    rewrite(states, |_| ());
    for state in states.iter_mut() {
        state.mix_salt();
    }
    rewrite(states, |_| ());
}

/// Replaces all words of each state by what it encrypts, one block after the other. `mix` is called before each encryption.
#[inline(always)]
#[expect(
    clippy::inline_always,
    reason = "the loops are to know the number of states, and `mix` is to vanish"
)]
fn rewrite<const N: usize>(states: &mut [&mut Blowfish; N], mut mix: impl FnMut(&mut Blocks<N>)) {
    let mut blocks = [[0; N]; 2];
    for pair in 0..WORDS_OF_P / 2 {
        mix(&mut blocks);
        encrypt(states, &mut blocks);
        for n in 0..N {
            [states[n].p[2 * pair], states[n].p[2 * pair + 1]] = [blocks[0][n], blocks[1][n]];
        }
    }
    for number in 0..BOXES {
        for pair in 0..WORDS_OF_BOX / 2 {
            mix(&mut blocks);
            encrypt(states, &mut blocks);
            for n in 0..N {
                let words = &mut states[n].s[number];
                [words[2 * pair], words[2 * pair + 1]] = [blocks[0][n], blocks[1][n]];
            }
        }
    }
}

/// Encrypts one block in each state. What one state does in a half round does not depend on the others, so a processor does
/// it while it waits for theirs.
#[inline(always)]
#[expect(clippy::inline_always, reason = "a call for each block would cost more than a tenth")]
fn encrypt<const N: usize>(states: &[&mut Blowfish; N], [left, right]: &mut Blocks<N>) {
    for n in 0..N {
        left[n] ^= states[n].p[0];
    }
    for round in 0..WORDS_OF_P / 2 - 1 {
        for n in 0..N {
            right[n] ^= states[n].p[2 * round + 1] ^ f(&states[n].s, left[n]);
        }
        for n in 0..N {
            left[n] ^= states[n].p[2 * round + 2] ^ f(&states[n].s, right[n]);
        }
    }
    for n in 0..N {
        [left[n], right[n]] = [right[n] ^ states[n].p[WORDS_OF_P - 1], left[n]];
    }
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "it is a dozen instructions")]
fn f(s: &Boxes, x: u32) -> u32 {
    let word = |number: usize, byte: u32| s[number][(byte & 0xff) as usize];
    (word(0, x >> 24).wrapping_add(word(1, x >> 16)) ^ word(2, x >> 8)).wrapping_add(word(3, x))
}

#[cfg(test)]
impl Blowfish {
    pub(crate) fn is_zero(&self) -> bool {
        let Self { s, p, key, salt } = self;
        [p, key, salt].into_iter().flatten().chain(s.as_flattened()).all(|word| *word == 0)
    }
}
