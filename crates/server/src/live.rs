//! A value that another can take the place of while the server runs: options that a reload takes over.

use std::sync::{Arc, PoisonError, RwLock};

/// Such a value. Whoever read it goes on with what it read.
#[derive(Debug, Default)]
pub struct Live<T>(RwLock<Arc<T>>);

impl<T> Live<T> {
    /// Begins with a value.
    pub fn new(value: T) -> Live<T> {
        Live(RwLock::new(Arc::new(value)))
    }

    /// The value of this moment.
    pub fn now(&self) -> Arc<T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts another in its place.
    pub fn put(&self, value: T) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_read_it_goes_on_with_it() {
        let live = Live::new(1);
        let before = live.now();
        live.put(2);
        assert_eq!((*before, *live.now()), (1, 2));
    }
}
