-- Money in the reporting currency, to the cent, half a cent away from zero. `rate`: dollars for one unit.
create macro to_usd(amount, rate) as cast(amount * rate as decimal(14, 2))
