"""`fastrrae plan`: the real training step, compiled for TPUs that are not there.

chips, topology -> compiled step -> memory, arithmetic, collectives -> bounds (plan)
                              -> schedules of kernels, counts of loops -> estimate (step_estimate)
"""

from .plan import StepPlan as StepPlan
from .plan import largest_batch as largest_batch
from .plan import plan_step as plan_step
from .topology import Topology as Topology
from .topology import scaling_series as scaling_series
from .tpu_schedules import dump_of_schedules as dump_of_schedules
