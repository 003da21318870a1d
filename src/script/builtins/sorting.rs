//! Sorting. The language's own panics if a closure contradicts itself, continues if one throws, and
//! reports values without an order as an unknown function.

use std::cmp::Ordering;

use rhai::{Array, Dynamic, Engine, EvalAltResult, FnPtr, NativeCallContext};

use super::bounded::failed;
use crate::script::binding::argument::a_kind;
use crate::script::language::named::Named;

type Done<T = ()> = Result<T, Box<EvalAltResult>>;

/// Registers the functions that a recipe can use.
pub fn register(engine: &mut Engine, named: &Named<'_>) {
    for name in ["sort", "sort_by"] {
        if named.has(name) {
            engine.register_fn(
                name,
                |native: NativeCallContext<'_>, array: &mut Array, by: FnPtr| {
                    sort_by(&native, array, &by)
                },
            );
        }
    }
    for name in ["order", "order_by"] {
        if named.has(name) {
            engine.register_fn(name, |native: NativeCallContext<'_>, array: Array, by: FnPtr| {
                ordered(array, |array| sort_by(&native, array, &by))
            });
        }
    }
    if named.has("sort") {
        engine.register_fn("sort", |array: &mut Array| sort(array, |order| order));
    }
    if named.has("sort_desc") {
        engine.register_fn("sort_desc", |array: &mut Array| sort(array, Ordering::reverse));
    }
    if named.has("order") {
        engine.register_fn("order", |array: Array| {
            ordered(array, |array| sort(array, |order| order))
        });
    }
    if named.has("order_desc") {
        engine.register_fn("order_desc", |array: Array| {
            ordered(array, |array| sort(array, Ordering::reverse))
        });
    }
}

fn ordered(mut array: Array, sort: impl FnOnce(&mut Array) -> Done) -> Done<Array> {
    sort(&mut array).map(|()| array)
}

fn sort(array: &mut Array, order: fn(Ordering) -> Ordering) -> Done {
    sort_with(array, &mut |one, other| {
        natural_order(one, other).map(order).ok_or_else(|| {
            let (one, other) = (a_kind(one), a_kind(other));
            failed(format!(
                "cannot compare {one} with {other}: sort with a closure that compares them"
            ))
            .into()
        })
    })
}

/// The natural order of two values of one kind; `None` if there is none.
fn natural_order(one: &Dynamic, other: &Dynamic) -> Option<Ordering> {
    if let (Ok(one), Ok(other)) = (one.as_int(), other.as_int()) {
        return Some(one.cmp(&other));
    }
    if let (Ok(one), Ok(other)) = (one.as_immutable_string_ref(), other.as_immutable_string_ref()) {
        return Some(one.as_str().cmp(other.as_str()));
    }
    if let (Ok(one), Ok(other)) = (one.as_float(), other.as_float()) {
        return Some(one.total_cmp(&other));
    }
    if let (Ok(one), Ok(other)) = (one.as_char(), other.as_char()) {
        return Some(one.cmp(&other));
    }
    if let (Ok(one), Ok(other)) = (one.as_bool(), other.as_bool()) {
        return Some(one.cmp(&other));
    }
    (one.is_unit() && other.is_unit()).then_some(Ordering::Equal)
}

/// Sorts with a closure, which returns a negative number, zero or a positive number, or whether the
/// first value comes before the second.
fn sort_by(native: &NativeCallContext<'_>, array: &mut Array, by: &FnPtr) -> Done {
    sort_with(array, &mut |one, other| {
        let given = by.call_raw(native, None, [one.clone(), other.clone()])?;
        if let Ok(number) = given.as_int() {
            return Ok(number.cmp(&0));
        }
        if let Ok(before) = given.as_bool() {
            return Ok(if before { Ordering::Less } else { Ordering::Equal });
        }
        let given = a_kind(&given);
        let why = format!("the closure of `sort` must return an integer or a boolean, not {given}");
        Err(failed(why).into())
    })
}

/// A stable merge sort. It ends whatever `compare` returns, and leaves the array unchanged if that
/// fails.
fn sort_with(
    array: &mut Array,
    compare: &mut dyn FnMut(&Dynamic, &Dynamic) -> Done<Ordering>,
) -> Done {
    let length = array.len();
    let mut order: Vec<usize> = (0..length).collect();
    let mut merged = Vec::with_capacity(length);
    let mut width = 1;
    while width < length {
        for start in (0..length).step_by(2 * width) {
            let (middle, end) = ((start + width).min(length), (start + 2 * width).min(length));
            let (mut left, mut right) = (start, middle);
            while left < middle && right < end {
                // The right value comes first only if it is less.
                let is_less = compare(&array[order[right]], &array[order[left]])?.is_lt();
                let next = if is_less { &mut right } else { &mut left };
                merged.push(order[*next]);
                *next += 1;
            }
            merged.extend_from_slice(&order[left..middle]);
            merged.extend_from_slice(&order[right..end]);
        }
        std::mem::swap(&mut order, &mut merged);
        merged.clear();
        width *= 2;
    }
    *array = order.into_iter().map(|index| std::mem::take(&mut array[index])).collect();
    Ok(())
}
