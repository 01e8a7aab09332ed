"""Judges sums: reads lines `x y sum` (sum `-`: refused), adds with decimal, prints how many were right; fails at the first that is not."""
import decimal
import sys

DIGITS = 1000                                    # DECIMAL_SUM_DIGITS
decimal.setcontext(decimal.Context(prec=100000, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN, traps=[decimal.Inexact]))


def written_out(x, scale):
    """Without exponent, with so many decimals."""
    whole, _, decimals = format(abs(x), "f").partition(".")
    text = (whole.lstrip("0") or "0") + ("." + decimals.ljust(scale, "0") if scale else "")
    return ("-" if x < 0 else "") + text


def digits(text):
    return len(text.lstrip("-").replace(".", ""))


def expected(x, y):
    scale = max(0, *(-number.as_tuple().exponent for number in (x, y)))
    if scale > DIGITS or any(number and number.adjusted() > DIGITS for number in (x, y)):
        return "-"
    texts = [written_out(number, scale) for number in (x, y, x + y)]
    return "-" if max(map(digits, texts)) > DIGITS else texts[2]


def main():
    right = 0
    for line in sys.stdin:
        x, y, got = line.split()
        want = expected(decimal.Decimal(x), decimal.Decimal(y))
        if got != want:
            sys.exit(f"{x} + {y} is {want}, not {got}")
        right += 1
    print(f"# {right} sums are right")


if __name__ == "__main__":
    main()
