"""The tools that come with the API, a small file each."""

from backend.tools.builtin.calculator import calculator
from backend.tools.builtin.convert_units import convert_units
from backend.tools.builtin.current_time import current_date_and_time
from backend.tools.tool import Tool

BUILT_IN_TOOLS: tuple[Tool, ...] = (calculator, current_date_and_time, convert_units)
