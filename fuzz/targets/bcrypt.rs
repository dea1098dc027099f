//! Every lane gives what the crate `bcrypt` gives, whatever the others do, and whenever they are done or refilled.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roster_bcrypt_lanes::{Cost, KEY_BYTES, Key, Lane, advance};

/// One hash to make.
struct Input<'a> {
    cost: u32,
    salt: [u8; 16],
    password: &'a [u8],
}

impl<'a> Input<'a> {
    /// A cost, a salt, and a password with its length before it, for as long as there are bytes.
    fn take(bytes: &mut &'a [u8]) -> Option<Self> {
        let cost = 4 + u32::from(*bytes.split_off_first()? % 3);
        let salt = bytes.split_off(..16)?.try_into().ok()?;
        let length = usize::from(*bytes.split_off_first()?) % (KEY_BYTES + 3);
        let password = bytes.split_off(..length.min(bytes.len()))?;
        Some(Self { cost, salt, password })
    }

    fn judged(&self) -> [u8; 24] {
        let key: Vec<_> = self.password.iter().copied().chain([0]).take(KEY_BYTES).collect();
        bcrypt::bcrypt(self.cost, self.salt, &key)
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = bytes;
    let [Some(lanes), Some(rounds)] = [bytes.split_off_first(), bytes.split_off_first()] else { return };
    let mut lanes: Vec<_> = (0..=lanes % 4).map(|_| Lane::idle()).collect();
    let mut begun: Vec<_> = lanes.iter().map(|_| None).collect();
    // More would only take time.
    let mut waiting = std::iter::from_fn(|| Input::take(&mut bytes)).take(6);
    loop {
        for (lane, begun) in lanes.iter_mut().zip(&mut begun) {
            if let Some(hash) = lane.finish() {
                assert_eq!(begun.take().map(|input: Input<'_>| input.judged()), Some(hash));
            }
            if lane.is_idle()
                && let Some(input) = waiting.next()
            {
                let cost = Cost::new(input.cost).expect("a cost from 4 to 6");
                lane.begin(cost, &input.salt, &Key::of_password(input.password));
                *begun = Some(input);
            }
        }
        if lanes.iter().all(Lane::is_idle) {
            assert!(begun.iter().all(Option::is_none), "every hash was taken");
            break;
        }
        advance(&mut lanes, 1 + u32::from(*rounds));
    }
});
