use std::num::NonZeroU64;

/// The number of a page, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageNumber(NonZeroU64);

impl PageNumber {
    /// The first page.
    pub const FIRST: Self = Self(NonZeroU64::MIN);

    /// `None` for 0.
    #[must_use]
    pub const fn new(number: u64) -> Option<Self> {
        match NonZeroU64::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The number, from 1.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0.get()
    }
}

/// How many items a page holds, 1 to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PerPage<const MAX: u64>(u64);

impl<const MAX: u64> PerPage<MAX> {
    /// `None` for 0 and for more than `MAX`.
    #[must_use]
    pub const fn new(count: u64) -> Option<Self> {
        if count >= 1 && count <= MAX { Some(Self(count)) } else { None }
    }
}

/// A page that a client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    number: PageNumber,
    per_page: u64,
}

impl PageRequest {
    /// That page of so many items.
    #[must_use]
    pub const fn new<const MAX: u64>(number: PageNumber, per_page: PerPage<MAX>) -> Self {
        Self { number, per_page: per_page.0 }
    }

    /// How many items stand before the page; for a page beyond all counting, as many as can be counted.
    #[must_use]
    pub const fn offset(self) -> u64 {
        (self.number.get() - 1).saturating_mul(self.per_page)
    }

    /// How many items the page holds at most.
    #[must_use]
    pub const fn limit(self) -> u64 {
        self.per_page
    }

    /// Whether a page stands before this one.
    #[must_use]
    pub const fn has_previous(self) -> bool {
        self.number.get() > 1
    }

    /// Whether a page stands after this one, of `total` items in all.
    #[must_use]
    pub const fn has_next(self, total: u64) -> bool {
        self.offset().saturating_add(self.per_page) < total
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pages_cover_every_item_once(total in 0u64..500, per_page in 1u64..=30) {
            let mut covered = 0;
            for number in 1.. {
                let page = PageRequest::new(PageNumber::new(number).unwrap(), PerPage::<30>::new(per_page).unwrap());
                prop_assert_eq!(page.offset(), covered);
                covered = (covered + page.limit()).min(total);
                if !page.has_next(total) {
                    break;
                }
            }
            prop_assert_eq!(covered, total);
        }
    }

    #[test]
    fn a_page_beyond_all_counting_is_empty_and_last() {
        let page = PageRequest::new(PageNumber::new(u64::MAX).unwrap(), PerPage::<30>::new(30).unwrap());
        assert_eq!((page.offset(), page.has_next(u64::MAX)), (u64::MAX, false));
    }

    #[test]
    fn a_page_holds_at_least_one_item_and_at_most_max() {
        assert_eq!(PerPage::<20>::new(0), None);
        assert_eq!(PerPage::<20>::new(21), None);
        assert!(PerPage::<20>::new(20).is_some());
        assert_eq!(PageNumber::new(0), None);
    }
}
