//! Prints the digits of pi that Blowfish begins with, as they stand in `src/pi.hex`.

#![expect(clippy::print_stdout, reason = "printing is what it is for")]

/// P has 18 words and S has 4 boxes of 256.
const WORDS: usize = 18 + 4 * 256;

/// Digits that the rounding of each term may spoil, and that are not printed.
const GUARD: usize = 2;

/// A number below 2³², as a word before the point and the words behind it.
type Fixed = [u32; 1 + WORDS + GUARD];

fn main() {
    print!("{}", text());
}

/// The digits behind the point, in lines of 64.
#[must_use]
pub(crate) fn text() -> String {
    let pi = pi();
    let lines = pi[1..=WORDS].chunks(8).map(|words| {
        let words: Vec<_> = words.iter().map(|word| format!("{word:08x}")).collect();
        words.concat() + "\n"
    });
    lines.collect()
}

/// Machin's formula: π = 16 arctan 1/5 − 4 arctan 1/239.
fn pi() -> Fixed {
    let mut pi = arctan_of_1_over(5, 16);
    subtract(&mut pi, &arctan_of_1_over(239, 4));
    pi
}

/// `factor` × arctan 1/`x`, by its series: 1/x − 1/3x³ + 1/5x⁵ − …
fn arctan_of_1_over(x: u32, factor: u32) -> Fixed {
    let mut power = [0; _];
    power[0] = factor;
    divide(&mut power, x);
    let mut sum = power;
    for odd in (3..).step_by(2) {
        divide(&mut power, x * x);
        let mut term = power;
        divide(&mut term, odd);
        if term.iter().all(|word| *word == 0) {
            break;
        }
        if odd % 4 == 3 { subtract(&mut sum, &term) } else { add(&mut sum, &term) }
    }
    sum
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a remainder is below the divisor: each quotient is one word"
)]
fn divide(number: &mut Fixed, divisor: u32) {
    let mut remainder = 0;
    for word in number {
        let dividend = remainder << 32 | u64::from(*word);
        *word = (dividend / u64::from(divisor)) as u32;
        remainder = dividend % u64::from(divisor);
    }
}

fn add(number: &mut Fixed, other: &Fixed) {
    let mut carry = false;
    for (word, other) in number.iter_mut().zip(other).rev() {
        let (sum, first) = word.overflowing_add(*other);
        let (sum, second) = sum.overflowing_add(carry.into());
        (*word, carry) = (sum, first || second);
    }
}

fn subtract(number: &mut Fixed, other: &Fixed) {
    let mut borrow = false;
    for (word, other) in number.iter_mut().zip(other).rev() {
        let (difference, first) = word.overflowing_sub(*other);
        let (difference, second) = difference.overflowing_sub(borrow.into());
        (*word, borrow) = (difference, first || second);
    }
}
