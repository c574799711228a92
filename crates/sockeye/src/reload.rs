//! What was made from files, and is made anew from them while it is in use.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::error::Result;

/// Everything of a program that was made from files and is still in use. Clones share it.
#[derive(Clone, Default)]
pub struct Reloads(Arc<Mutex<Vec<Entry>>>);

/// What was made from files, such as certificates, as whoever uses it has it.
pub struct Reloaded<T>(Mutex<Arc<T>>);

/// Things that were made anew and are not in use yet. Dropped, nothing changes.
#[must_use = "nothing changes until it is applied"]
pub struct Renewal(Vec<(Arc<str>, Put)>);

/// Puts what was made in use.
type Put = Box<dyn FnOnce() + Send>;

#[derive(Clone)]
struct Entry {
    name: Arc<str>,
    /// What it is about, to see whether it is in use.
    made: Weak<dyn Any + Send + Sync>,
    /// Makes it anew; `None` where nobody uses it any more.
    renew: Arc<dyn Fn() -> Option<Result<Put>> + Send + Sync>,
}

impl Reloads {
    /// Makes something, which is made again in the same way at each [`Reloads::read`], as long as it is in use. `name`
    /// says what for: an address.
    ///
    /// # Errors
    /// That of `make`.
    pub fn keep<T: Send + Sync + 'static>(
        &self,
        name: &str,
        make: impl Fn() -> Result<T> + Send + Sync + 'static,
    ) -> Result<Arc<Reloaded<T>>> {
        let made = Arc::new(Reloaded(Mutex::new(Arc::new(make()?))));
        let used = Arc::downgrade(&made);
        let entry = Entry {
            name: name.into(),
            made: used.clone(),
            renew: Arc::new(move || {
                let made = used.upgrade()?;
                Some(make().map(|next| Box::new(move || *lock(&made.0) = Arc::new(next)) as Put))
            }),
        };
        self.in_use().push(entry);
        Ok(made)
    }

    /// Whether nothing was made from files.
    pub fn is_empty(&self) -> bool {
        self.in_use().is_empty()
    }

    /// Makes everything anew, which blocks while files are read.
    ///
    /// # Errors
    /// Something could not be made. The rest is not put in use either.
    pub fn read(&self) -> Result<Renewal> {
        let entries = self.in_use().clone();
        let renewed = entries.into_iter().filter_map(|Entry { name, renew, .. }| Some((name, renew()?)));
        renewed.map(|(name, put)| Ok((name, put?))).collect::<Result<Vec<_>>>().map(Renewal)
    }

    fn in_use(&self) -> MutexGuard<'_, Vec<Entry>> {
        let mut entries = lock(&self.0);
        entries.retain(|entry| entry.made.strong_count() > 0);
        entries
    }
}

impl<T> Reloaded<T> {
    /// What is to be used now. Whoever has it may go on with it when there is another.
    pub fn now(&self) -> Arc<T> {
        lock(&self.0).clone()
    }
}

impl Renewal {
    /// Puts everything in use, and says what for.
    pub fn apply(self) -> Vec<Arc<str>> {
        let put = |(name, put): (Arc<str>, Put)| {
            put();
            name
        };
        self.0.into_iter().map(put).collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Reloads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(lock(&self.0).iter().map(|entry| &entry.name)).finish()
    }
}

impl fmt::Debug for Renewal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl<T> fmt::Debug for Reloaded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloaded").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::error::{Cause, Error, Op};

    /// Makes the number that is there, and fails at 0.
    fn number(source: &Arc<AtomicU32>) -> impl Fn() -> Result<u32> + Send + Sync + 'static {
        let source = source.clone();
        move || match source.load(Ordering::Relaxed) {
            0 => Err(Error::new(Op::Read, Cause::Stopped)),
            number => Ok(number),
        }
    }

    #[test]
    fn all_is_made_anew_or_where_one_fails_nothing() {
        let (reloads, sources) = (Reloads::default(), [1, 2].map(|number| Arc::new(AtomicU32::new(number))));
        assert!(reloads.is_empty());
        let [one, two] =
            [("one", 0), ("two", 1)].map(|(name, at)| reloads.keep(name, number(&sources[at])).unwrap());
        let now = || (*one.now(), *two.now());
        let before = one.now();
        sources.iter().for_each(|source| source.store(7, Ordering::Relaxed));
        let renewal = reloads.read().unwrap();
        assert_eq!(now(), (1, 2), "not before it is applied");
        assert_eq!(renewal.apply(), ["one".into(), "two".into()]);
        assert_eq!((now(), *before), ((7, 7), 1));
        sources[0].store(8, Ordering::Relaxed);
        sources[1].store(0, Ordering::Relaxed);
        assert!(reloads.read().is_err());
        assert_eq!(now(), (7, 7));
    }

    #[test]
    fn what_nobody_uses_any_more_is_not_made_again() {
        let (reloads, source) = (Reloads::default(), Arc::new(AtomicU32::new(1)));
        let made = reloads.keep("one", number(&source)).unwrap();
        source.store(0, Ordering::Relaxed);
        drop(made);
        assert!(reloads.is_empty());
        assert_eq!(reloads.read().unwrap().apply(), []);
        assert!(reloads.keep("two", number(&source)).is_err());
        assert!(reloads.is_empty());
    }
}
