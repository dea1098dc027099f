//! The hashes are those that others publish and that the crate `bcrypt` computes, whatever the other lanes do.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use base64::Engine;
use base64::alphabet::BCRYPT;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::NO_PAD;
use proptest::prelude::*;
use roster_bcrypt_lanes::{Cost, KEY_BYTES, Key, Lane, TOGETHER, advance, bcrypt};
use rstest::rstest;

const BASE64: GeneralPurpose = GeneralPurpose::new(&BCRYPT, NO_PAD);

/// Passwords and their hashes, of the tests of jBCrypt (`TestBCrypt.java`) and of Openwall's `crypt_blowfish` (`wrapper.c`).
const PUBLISHED: &[(&[u8], &str)] = &[
    (b"", "$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s."),
    (b"", "$2a$08$HqWuK6/Ng6sg9gQzbLrgb.Tl.ZHfXLhvt/SgVyWhQqgqcZ7ZuUtye"),
    (b"", "$2a$10$k1wbIrmNyFAPwPVPSVa/zecw2BCEnBwVS2GbrmgzxFUOqW9dk4TCW"),
    (b"", "$2a$12$k42ZFHFWqBp3vWli.nIn8uYyIkbvYRvodzbfbK18SSsY.CsIQPlxO"),
    (b"a", "$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe"),
    (b"a", "$2a$08$cfcvVd2aQ8CMvoMpP2EBfeodLEkkFJ9umNEfPD18.hUF62qqlC/V."),
    (b"a", "$2a$10$k87L/MF28Q673VKh8/cPi.SUl7MU/rWuSiIDDFayrKk/1tBsSQu4u"),
    (b"abc", "$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i"),
    (b"abc", "$2a$08$Ro0CUfOqk6cXEKf3dyaM7OhSCvnwM9s4wIX9JeLapehKK5YdLxKcm"),
    (b"abc", "$2a$10$WvvTPHKwdBJ3uk0Z37EMR.hLA2W6N9AEBhEgrAOljy2Ae5MtaSIUi"),
    (b"abcdefghijklmnopqrstuvwxyz", "$2a$06$.rCVZVOThsIa97pEDOxvGuRRgzG64bvtJ0938xuqzv18d3ZpQhstC"),
    (b"abcdefghijklmnopqrstuvwxyz", "$2a$08$aTsUwsyowQuzRrDqFflhgekJ8d9/7Z3GV3UcgvzQW3J5zMyrTvlz."),
    (b"~!@#$%^&*()      ~!@#$%^&*()PNBFRD", "$2a$06$fPIsBO8qRqkjj273rfaOI.HtSV9jLDpTbZn782DC6/t7qT67P6FfO"),
    (b"U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
    (b"U*U*", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK"),
    (b"U*U*U", "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a"),
    (
        b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789chars after 72 are ignored",
        "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui",
    ),
    (b"\xff\xff\xa3", "$2b$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e"),
    (b"\xa3", "$2b$05$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq"),
    (b"\xff\xa334\xff\xff\xff\xa3345", "$2y$05$/OK.fbVrR/bpIqNJ5ianF.o./n25XVfn6oAPaUvHe.Csk4zRfsYPi"),
    (b"\xff\xa3345", "$2y$05$/OK.fbVrR/bpIqNJ5ianF.nRht2l/HRhr6zmCp9vYUvvsqynflf9e"),
    (&[0xaa; 72], "$2a$05$/OK.fbVrR/bpIqNJ5ianF.swQOIzjOiJ9GHEPuhEkvqrUyvWhEMx6"),
];

/// One hash to make.
#[derive(Debug, Clone)]
struct Input {
    cost: u32,
    salt: [u8; 16],
    password: Vec<u8>,
}

impl Input {
    /// What a `$2b$` text says.
    fn of_text(password: &[u8], text: &str) -> Self {
        let salt = BASE64.decode(&text[7..29]).unwrap().try_into().unwrap();
        Self { cost: text[4..6].parse().unwrap(), salt, password: password.to_vec() }
    }

    fn begin_in(&self, lane: &mut Lane) {
        lane.begin(Cost::new(self.cost).unwrap(), &self.salt, &Key::of_password(&self.password));
    }

    /// What the crate `bcrypt` makes of it.
    fn judged(&self) -> [u8; 24] {
        let key: Vec<_> = self.password.iter().copied().chain([0]).take(KEY_BYTES).collect();
        ::bcrypt::bcrypt(self.cost, self.salt, &key)
    }
}

/// With what is likeliest to be confused: no byte, NULs, bytes whose highest bit is set, and about as many as fit.
fn passwords() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![Just(0), Just(0xff), any::<u8>()];
    let length = prop_oneof![Just(0), 1..=20usize, 70..=74usize];
    length.prop_flat_map(move |length| prop::collection::vec(byte.clone(), length))
}

fn inputs() -> impl Strategy<Value = Input> {
    (4..=6u32, any::<[u8; 16]>(), passwords()).prop_map(|(cost, salt, password)| Input {
        cost,
        salt,
        password,
    })
}

/// All at once, a few rounds at a time.
fn hashes(inputs: &[Input], rounds: u32) -> Vec<[u8; 24]> {
    let mut lanes: Vec<_> = inputs.iter().map(|_| Lane::idle()).collect();
    for (input, lane) in inputs.iter().zip(&mut lanes) {
        input.begin_in(lane);
    }
    while lanes.iter().any(|lane| lane.rounds_left() > 0) {
        advance(&mut lanes, rounds);
    }
    lanes.iter_mut().map(|lane| lane.finish().unwrap()).collect()
}

#[test]
fn published_passwords_have_their_published_hashes() {
    let inputs: Vec<_> = PUBLISHED.iter().map(|(password, text)| Input::of_text(password, text)).collect();
    for ((password, text), hash) in PUBLISHED.iter().zip(hashes(&inputs, 64)) {
        assert_eq!(BASE64.encode(&hash[..23]), text[29..], "{}", password.escape_ascii());
    }
}

#[rstest]
#[case::none([])]
#[case::one([4])]
#[case::two([5, 4])]
#[case::of_one_cost([4, 4, 4])]
#[case::three([4, 6, 5])]
#[case::more_than_go_together([4, 5, 6, 4, 7])]
fn so_many_at_once_are_what_they_are_alone<const N: usize>(#[case] costs: [u32; N]) {
    let inputs = costs.map(|cost| Input { cost, salt: [cost.to_le_bytes()[0]; 16], password: vec![b'x'; N] });
    let keys = inputs.each_ref().map(|input| Key::of_password(&input.password));
    let mut number = 0..N;
    let all = inputs.each_ref().map(|input| {
        let key = &keys[number.next().unwrap()];
        (Cost::new(input.cost).unwrap(), &input.salt, key)
    });
    assert_eq!(bcrypt(all), inputs.map(|input| input.judged()));
}

#[test]
fn a_key_is_taken_as_it_is_and_a_password_with_a_nul_and_cut() {
    let hash = |key: &Key| bcrypt([(Cost::MIN, &[9; 16], key)]);
    for bytes in [&b"\0"[..], b"\xff", b"no NUL", &[b'x'; 71], &[b'x'; 72]] {
        let judged = ::bcrypt::bcrypt(4, [9; 16], bytes);
        assert_eq!(hash(&Key::of_bytes(bytes).unwrap()), [judged]);
    }
    assert_eq!(hash(&Key::of_password(b"a")), hash(&Key::of_bytes(b"a\0").unwrap()));
    assert_eq!(hash(&Key::of_password(&[b'x'; 73])), hash(&Key::of_bytes(&[b'x'; 72]).unwrap()));
    assert!(Key::of_bytes(b"").is_none() && Key::of_bytes(&[b'x'; 73]).is_none());
}

#[test]
fn there_are_the_costs_4_to_31() {
    assert_eq!([3, 4, 31, 32].map(|cost| Cost::new(cost).map(Cost::get)), [None, Some(4), Some(31), None]);
    assert_eq!((Cost::MIN.rounds(), Cost::MAX.rounds()), (1 << 4, 1 << 31));
}

#[test]
fn an_idle_lane_stays_so_and_one_under_way_gives_nothing() {
    let mut lanes = [Lane::idle(), Lane::idle()];
    lanes[1].begin(Cost::MIN, &[1; 16], &Key::of_password(b"a"));
    advance(&mut lanes, Cost::MIN.rounds() - 1);
    assert!(lanes[0].is_idle() && lanes[0].finish().is_none());
    assert!(!lanes[1].is_idle() && lanes[1].rounds_left() == 1 && lanes[1].finish().is_none());
    advance(&mut lanes, 1);
    assert!(lanes[1].finish().is_some());
    assert!(lanes[1].is_idle() && lanes[1].finish().is_none(), "a hash is taken once");
}

#[test]
fn what_is_given_up_leaves_the_lane_to_another() {
    let mut lanes = [Lane::idle()];
    let input = Input { cost: 5, salt: [3; 16], password: b"another".to_vec() };
    for give_up in [Lane::clear, |lane: &mut Lane| assert!(!lane.is_idle())] {
        lanes[0].begin(Cost::MIN, &[1; 16], &Key::of_password(b"given up"));
        advance(&mut lanes, 7);
        give_up(&mut lanes[0]);
        input.begin_in(&mut lanes[0]);
        advance(&mut lanes, u32::MAX);
        assert_eq!(lanes[0].finish(), Some(input.judged()));
    }
}

#[test]
fn neither_a_key_nor_a_lane_shows_what_it_holds() {
    let mut lane = Lane::idle();
    let key = Key::of_password(b"\0\0\0\x07");
    lane.begin(Cost::MIN, &[1; 16], &key);
    assert_eq!(format!("{key:?} {lane:?}"), "Key(..) Lane { rounds_left: 16, .. }");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_lane_gives_what_the_crate_bcrypt_gives(
        inputs in prop::collection::vec(inputs(), 1..=2 * TOGETHER + 1),
        rounds in prop_oneof![1..=5u32, Just(u32::MAX)],
    ) {
        let judged: Vec<_> = inputs.iter().map(Input::judged).collect();
        prop_assert_eq!(hashes(&inputs, rounds), judged);
    }

    /// As a server does it: whatever lane is done begins the next hash while the others go on.
    #[test]
    fn a_lane_that_is_refilled_gives_what_the_crate_bcrypt_gives(
        inputs in prop::collection::vec(inputs(), 1..12),
        lanes in 1..=TOGETHER,
        rounds in 1..=20u32,
    ) {
        let mut lanes: Vec<_> = (0..lanes).map(|_| Lane::idle()).collect();
        let mut begun = vec![0; lanes.len()];
        let mut waiting = inputs.iter().enumerate();
        let mut hashes = vec![None; inputs.len()];
        loop {
            for (lane, begun) in lanes.iter_mut().zip(&mut begun) {
                if let Some(hash) = lane.finish() {
                    hashes[*begun] = Some(hash);
                }
                if lane.is_idle() && let Some((number, input)) = waiting.next() {
                    *begun = number;
                    input.begin_in(lane);
                }
            }
            if lanes.iter().all(Lane::is_idle) {
                break;
            }
            advance(&mut lanes, rounds);
        }
        let judged: Vec<_> = inputs.iter().map(|input| Some(input.judged())).collect();
        prop_assert_eq!(hashes, judged);
    }
}
