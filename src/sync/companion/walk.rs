//! A walk through a companion's list, page by page, which comes to an end whatever the companion does.

use super::{Page, Trouble, Window};

/// Asked for in one request.
pub const PAGE: usize = 500;
/// More than a million contacts are nobody's address book: the list does not end.
const MOST_PAGES: usize = 2_000;

const ENDLESS: Trouble = Trouble::unclear("endless_list");

/// A walk through a list, page by page. Companions cut their pages differently: the list ends where nothing new comes.
#[derive(Default)]
pub struct Walk {
    pages: usize,
    offset: usize,
    first: Option<String>,
    is_over: bool,
}

impl Walk {
    pub fn next(&mut self) -> Result<Option<Window>, Trouble> {
        if self.is_over {
            return Ok(None);
        }
        if self.pages == MOST_PAGES {
            return Err(ENDLESS);
        }
        self.pages += 1;
        Ok(Some(Window { limit: PAGE, offset: self.offset }))
    }

    /// Whether this page is a new one.
    pub fn goes_on_with<T>(&mut self, page: &Page<T>) -> Result<bool, Trouble> {
        let begins_anew = self.offset > 0 && page.first.is_some() && page.first == self.first;
        if begins_anew && page.listed >= PAGE {
            return Err(ENDLESS);
        }
        // More than was asked for is all there is: this companion knows no windows.
        self.is_over = begins_anew || page.listed == 0 || page.listed > PAGE;
        self.first.clone_from(&page.first);
        self.offset += page.listed;
        Ok(!begins_anew)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The offsets asked for, and whether the walk ended well, in a list of which `page` gives the rows.
    fn walked(page: impl Fn(Window) -> (usize, String)) -> (Vec<usize>, bool) {
        let (mut walk, mut offsets) = (Walk::default(), Vec::new());
        loop {
            let window = match walk.next() {
                Ok(Some(window)) => window,
                end => return (offsets, end.is_ok()),
            };
            offsets.push(window.offset);
            let (listed, first) = page(window);
            if walk.goes_on_with::<()>(&Page { rows: Vec::new(), listed, first: Some(first) }).is_err() {
                return (offsets, false);
            }
        }
    }

    #[test]
    fn pages_may_be_shorter_than_asked_for() {
        let cut = |most: usize| move |window: Window| (most.min(1234 - window.offset), window.offset.to_string());
        assert_eq!(walked(cut(500)), (vec![0, 500, 1000, 1234], true));
        assert_eq!(walked(cut(600)), (vec![0], true), "more than asked for is all");
        assert_eq!(walked(cut(100)).0.len(), 14);
    }

    #[test]
    fn a_companion_without_windows_is_asked_twice_and_an_endless_one_left() {
        assert_eq!(walked(|_| (3, "a".into())), (vec![0, 3], true));
        assert_eq!(walked(|_| (500, "a".into())), (vec![0, 500], false));
        let (offsets, is_good) = walked(|window| (500, window.offset.to_string()));
        assert_eq!((offsets.len(), is_good), (2000, false));
    }
}
