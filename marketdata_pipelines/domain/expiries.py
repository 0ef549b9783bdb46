"""The last trading day of futures whose venue publishes a rule for it, by root.

A day that is none of the feed's own calendar counts as the session before it (see `rolls.due_dates`).

The rules are today's; a contract that expired by another one needs its date from reference data, which win.
"""

from collections.abc import Callable
from datetime import date, timedelta
from functools import lru_cache

from marketdata_pipelines.domain.contracts import ContractMonth
from marketdata_pipelines.domain.feeds import CalendarSpec
from marketdata_pipelines.domain.partitions import Period, period_end
from marketdata_pipelines.domain.sessions import open_calendar
from marketdata_pipelines.domain.trading_days import TradingDays

_FRIDAY, _WEDNESDAY = 4, 2
# Holidays on which an exchange trades for some hours are no business days of its rules; New York's calendar has those.
_BUSINESS_CALENDAR = CalendarSpec("XNYS")


def expiry_by_rule(root: str, month: ContractMonth) -> date | None:
    """A contract's last trading day, or None where no rule is known for its root."""
    rule = _RULES.get(root.upper())
    return rule(month) if rule else None


def _third_friday(month: ContractMonth) -> date:
    """Eurex equity indices: the third Friday of the contract month, where it is a holiday the exchange day before."""
    return _nth_weekday(month, 3, _FRIDAY)


def _third_friday_or_before(month: ContractMonth) -> date:
    """CME equity indices: the third Friday of the contract month, or the business day before a holiday."""
    return _business_days(month.year).until(_third_friday(month))


def _before_third_wednesday(month: ContractMonth) -> date:
    """CME currencies: the second business day before the third Wednesday of the contract month."""
    return _business_days(month.year).before(_nth_weekday(month, 3, _WEDNESDAY), 2)


def _crude_oil(month: ContractMonth) -> date:
    """NYMEX crude oil: three business days before the 25th of the month before, or the business day before that."""
    day = _month_before(month).replace(day=25)
    days = _business_days(day.year)
    return days.before(days.until(day), 3)


def _third_last_of_month_before(month: ContractMonth) -> date:
    """NYMEX natural gas: the third last business day of the month before the contract month."""
    return _from_end(_month_before(month), 2)


def _last_of_month_before(month: ContractMonth) -> date:
    """NYMEX products: the last business day of the month before the contract month."""
    return _from_end(_month_before(month), 0)


def _third_last_of_month(month: ContractMonth) -> date:
    """COMEX metals: the third last business day of the contract month."""
    return _from_end(_first_day(month), 2)


def _eighth_last_of_month(month: ContractMonth) -> date:
    """CBOT bonds and notes: the seventh business day before the last of the contract month."""
    return _from_end(_first_day(month), 7)


def _last_of_month(month: ContractMonth) -> date:
    """CBOT short notes: the last business day of the contract month."""
    return _from_end(_first_day(month), 0)


def _before_fifteenth(month: ContractMonth) -> date:
    """CBOT grains: the business day before the 15th of the contract month."""
    return _business_days(month.year).before(_first_day(month).replace(day=15))


_RULES: dict[str, Callable[[ContractMonth], date]] = {
    **dict.fromkeys(("ES", "MES", "NQ", "MNQ", "YM", "MYM", "RTY", "M2K", "EMD", "SP", "ND"), _third_friday_or_before),
    **dict.fromkeys(("FESX", "FDAX", "FDXM"), _third_friday),
    **dict.fromkeys(("6A", "6B", "6E", "6J", "6N", "6S", "M6E", "M6A", "M6B"), _before_third_wednesday),
    **dict.fromkeys(("CL",), _crude_oil),
    **dict.fromkeys(("NG",), _third_last_of_month_before),
    **dict.fromkeys(("HO", "RB"), _last_of_month_before),
    **dict.fromkeys(("GC", "SI", "HG", "MGC", "SIL"), _third_last_of_month),
    **dict.fromkeys(("ZN", "TN", "ZB", "UB"), _eighth_last_of_month),
    **dict.fromkeys(("ZF", "ZT"), _last_of_month),
    **dict.fromkeys(("ZC", "ZS", "ZW", "ZM", "ZL", "ZO", "KE"), _before_fifteenth),
}


def _first_day(month: ContractMonth) -> date:
    return date(month.year, month.month, 1)


def _month_before(month: ContractMonth) -> date:
    return (_first_day(month) - timedelta(days=1)).replace(day=1)


def _nth_weekday(month: ContractMonth, count: int, weekday: int) -> date:
    first = _first_day(month)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (count - 1))


def _from_end(first: date, count: int) -> date:
    """The business day with `count` more of them after it in its month."""
    days = _business_days(first.year)
    return days.before(days.until(period_end(first, Period.MONTH)), count)


@lru_cache(maxsize=128)
def _business_days(year: int) -> TradingDays:
    """Business days of a year and the weeks around it."""
    sessions = open_calendar(_BUSINESS_CALENDAR).sessions(date(year - 1, 11, 1), date(year + 1, 2, 28))
    return TradingDays(session.date for session in sessions)
