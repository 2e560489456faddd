"""Arithmetic expressions of one variable, and how well they fit a curve (grammar VAE, RAE and GMM-DAE papers)."""

import ast
import math
import warnings
from collections.abc import Callable

import numpy as np

from ..errors import InputError
from .grammar import Grammar

EXPRESSIONS = Grammar.from_text(
    """
    S -> S '+' T | S '*' T | S '/' T | T
    T -> '(' S ')' | 'sin(' S ')' | 'exp(' S ')' | 'x' | '1' | '2' | '3'
    """
)

POINTS = np.linspace(-10, 10, 1000)


_OPERATIONS: dict[type, Callable[..., np.ndarray]] = {ast.Add: np.add, ast.Mult: np.multiply, ast.Div: np.divide}
_FUNCTIONS = {"sin": np.sin, "exp": np.exp}


def evaluate_expression(expression: str, x: np.ndarray) -> np.ndarray:
    """The values of an expression at the points `x`, of that shape, with the usual precedence: x+1/3 is x+(1/3).

    Nothing in the string is run as code. Values beyond floating point are infinite or NaN.

    Raises:
        InputError: it is not an expression of x, 1, 2, 3, sin and exp.

    Example:
        >>> evaluate_expression("x*x+1", np.array([0.0, 2.0]))
        array([1., 5.])
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what looks like a mistake, as 1if(x)
            tree = ast.parse(expression, mode="eval").body
        with np.errstate(all="ignore"):
            return _value(tree, np.asarray(x, np.float64))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise InputError(f"`expression` must be one of x, 1, 2, 3, +, *, /, sin and exp; got {expression!r}") from None


def expression_score(expression: str) -> float:
    """`log(1 + MSE)` against 1/3 + x + sin(x x) on 1000 points of [-10, 10]; less is better.

    Infinite where the expression has no finite value at a point, or is no expression.

    Example:
        >>> round(expression_score("x+1/3"), 2)
        0.39
    """
    try:
        values = evaluate_expression(expression, POINTS)
    except InputError:
        return math.inf
    with np.errstate(all="ignore"):
        error = float(np.mean((values - (1 / 3 + POINTS + np.sin(POINTS * POINTS))) ** 2))
    return math.log1p(error) if math.isfinite(error) else math.inf


def _value(node: ast.AST, x: np.ndarray) -> np.ndarray:
    match node:
        case ast.BinOp(left=left, op=operation, right=right) if type(operation) in _OPERATIONS:
            return _OPERATIONS[type(operation)](_value(left, x), _value(right, x))
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in _FUNCTIONS:
            return _FUNCTIONS[name](_value(argument, x))
        case ast.Name(id="x"):
            return x
        case ast.Constant(value=1 | 2 | 3 as number) if type(number) is int:
            return np.full_like(x, number)
    raise ValueError(f"{type(node).__name__} is no part of an expression")
