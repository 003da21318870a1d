//! Dates in UTC by the Gregorian calendar: RFC 3339.

const DAY: i64 = 86400;

/// The days from 1970-01-01 to a date. A year begins with March here, so that the day that some
/// years have more is its last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // 1970-01-01 is 719468 days after the first of March of the year 0.
    year * 365 + leap + (153 * month + 2) / 5 + day - 1 - 719_468
}

/// The date so many days after 1970-01-01.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + later, month, day)
}

/// A time in seconds since 1970 as text; `None` outside the years 0 to 9999.
pub fn text(seconds: i64) -> Option<String> {
    let (year, month, day) = date(seconds.div_euclid(DAY));
    let time = seconds.rem_euclid(DAY);
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z");
    (0..=9999).contains(&year).then_some(text)
}

/// The seconds since 1970 of a text; `None` for another form, or a date that does not exist.
pub fn seconds(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = text.get(from..to)?;
        digits.bytes().all(|it| it.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let sign = |at: usize, signs: &[u8]| signs.contains(text.as_bytes().get(at).unwrap_or(&0));
    let has_signs = sign(4, b"-") && sign(7, b"-") && sign(10, b"Tt ") && sign(13, b":");
    if !has_signs || !sign(16, b":") {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    // A leap second counts as the second after it.
    let fits = (1..=12).contains(&month) && hour < 24 && minute < 60 && second <= 60;
    let days = days(year, month, day);
    if !fits || date(days) != (year, month, day) {
        return None;
    }
    let mut zone = 19;
    if sign(zone, b".") {
        let fraction = text.get(20..)?.bytes().take_while(u8::is_ascii_digit).count();
        zone += 1 + Some(fraction).filter(|digits| *digits > 0)?;
    }
    let ahead = match text.get(zone..)? {
        "Z" | "z" => 0,
        _ if sign(zone, b"+-") && sign(zone + 3, b":") && text.len() == zone + 6 => {
            let (hours, minutes) = (number(zone + 1, zone + 3)?, number(zone + 4, zone + 6)?);
            let ahead = (hours < 24 && minutes < 60).then_some(hours * 3600 + minutes * 60)?;
            if sign(zone, b"-") { -ahead } else { ahead }
        }
        _ => return None,
    };
    Some(days * DAY + hour * 3600 + minute * 60 + second - ahead)
}

#[cfg(test)]
mod tests {
    use super::{date, days, seconds, text};

    #[test]
    fn dates_are_those_of_the_calendar() {
        let known = [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (1_767_225_599, "2025-12-31T23:59:59Z"),
            (-62_167_219_200, "0000-01-01T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ];
        for (number, date) in known {
            assert_eq!(text(number).as_deref(), Some(date));
            assert_eq!(seconds(date), Some(number));
        }
        assert_eq!((text(253_402_300_800), text(-62_167_219_201)), (None, None));
        assert_eq!((text(i64::MAX), text(i64::MIN)), (None, None));
    }

    #[test]
    fn every_day_comes_back() {
        for day in -800_000..800_000 {
            let (year, month, of_month) = date(day);
            assert_eq!(days(year, month, of_month), day);
        }
    }

    #[test]
    fn other_forms_are_no_dates() {
        assert_eq!(seconds("2026-01-31T12:00:00.25+02:00"), seconds("2026-01-31T10:00:00Z"));
        assert_eq!(seconds("2026-01-31 12:00:00-00:30"), seconds("2026-01-31T12:30:00Z"));
        assert_eq!(seconds("2016-12-31T23:59:60Z"), seconds("2017-01-01T00:00:00Z"));
        for wrong in [
            "",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00+1:00",
            "2026-01-01T00:00:00Zx",
            "2026-1-01T00:00:00Z",
            "+026-01-01T00:00:00Z",
            "2026-01-01T00:00:00+24:00",
            "äöü6-01-01T00:00:00Z",
        ] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }
}
