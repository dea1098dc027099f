//! The tables that Blowfish begins with are the digits of π.

#[path = "../examples/pi.rs"]
#[expect(dead_code, reason = "its `main` prints the same")]
mod pi;

#[test]
fn the_tables_are_the_digits_of_pi_as_its_series_gives_them() {
    let written = include_str!("../src/pi.hex");
    let why =
        "write it anew with `cargo run -p roster-bcrypt-lanes --example pi > crates/bcrypt-lanes/src/pi.hex`";
    assert!(written == pi::text(), "{why}");
    assert!(written.starts_with("243f6a8885a308d3"), "3.243f6a88… in hexadecimal");
}
