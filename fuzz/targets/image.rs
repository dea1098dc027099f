//! Uploaded images: whatever the bytes are, they are an image or they are not, in time. What is made of one is one.

#![no_main]

use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::sync::LazyLock;

use libfuzzer_sys::{Corpus, fuzz_target};
use roster_adapter_image::{Limits, Processor};
use roster_domain::ports::{ImageProcessor, ProcessError, Spool};
use roster_domain::values::UserId;
use tokio::runtime::Runtime;

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime"));

static PROCESSOR: LazyLock<Processor> = LazyLock::new(|| Processor::start(Limits::default()).expect("threads"));

/// Whose images they are.
const OWNER: UserId = UserId::from_bytes([1; 12]);

/// The most bytes of a clean image that is made anew once more, so that most of the time goes to what strangers send.
const SMALL: u64 = 1 << 14;

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(bytes).expect("room for it");
    let upload = Spool::new(move |buffer, position| file.read_at(buffer, position), bytes.len() as u64);
    let made = match RUNTIME.block_on(PROCESSOR.process(OWNER, upload)) {
        Ok(made) => made,
        Err(error @ (ProcessError::Unavailable(_) | ProcessError::NoRoom(_) | ProcessError::Overloaded)) => {
            panic!("it was not looked at in time: {error:?}")
        }
        Err(ProcessError::UnknownFormat) => return Corpus::Reject,
        Err(ProcessError::Damaged | ProcessError::TooManyPixels { .. }) => return Corpus::Keep,
    };
    let length = made.image.length();
    let mut content = vec![0; usize::try_from(length).expect("it fits into memory")];
    made.image.read_exact_at(&mut content, 0).expect("it has all its bytes");
    assert_eq!(made.image.read_at(&mut [0], length).expect("it can be read"), 0);
    if made.image.length() <= SMALL {
        let again = RUNTIME.block_on(PROCESSOR.process(OWNER, made.image)).expect("a clean image is an image");
        assert_eq!(again.format, made.format);
    }
    Corpus::Keep
});
