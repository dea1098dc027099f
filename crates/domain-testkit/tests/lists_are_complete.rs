//! Nobody can write a test of a contract and forget to list it.

use std::fs;
use std::path::Path;

#[test]
fn every_test_of_a_contract_is_in_its_list_once() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/contract");
    let lists = fs::read_to_string(folder.join("lists.rs")).unwrap();
    let mut tests = 0;
    for file in fs::read_dir(&folder).unwrap() {
        let source = fs::read_to_string(file.unwrap().path()).unwrap();
        for line in source.lines().filter_map(|line| line.strip_prefix("pub async fn ")) {
            let name = line.split('(').next().unwrap();
            let listed = lists.lines().filter(|line| line.trim() == name).count();
            assert_eq!(listed, 1, "{name} is listed {listed} times");
            tests += 1;
        }
    }
    assert!(tests > 100, "{tests} tests are found");
}
