"""What may be said in public about a table."""

from sfumato.schema.columns import BooleanColumn as BooleanColumn
from sfumato.schema.columns import CategoryColumn as CategoryColumn
from sfumato.schema.columns import Column as Column
from sfumato.schema.columns import IdentifierColumn as IdentifierColumn
from sfumato.schema.columns import ImageColumn as ImageColumn
from sfumato.schema.columns import TextColumn as TextColumn
from sfumato.schema.constraints import Constraint as Constraint
from sfumato.schema.constraints import FixedCombinations as FixedCombinations
from sfumato.schema.constraints import Inequality as Inequality
from sfumato.schema.constraints import NonNull as NonNull
from sfumato.schema.constraints import Unique as Unique
from sfumato.schema.file import FileFacts as FileFacts
from sfumato.schema.public_facts import IdUnit as IdUnit
from sfumato.schema.public_facts import RowCount as RowCount
from sfumato.schema.public_facts import RowUnit as RowUnit
from sfumato.schema.quantities import DateColumn as DateColumn
from sfumato.schema.quantities import DatetimeColumn as DatetimeColumn
from sfumato.schema.quantities import IntegerColumn as IntegerColumn
from sfumato.schema.quantities import RealColumn as RealColumn
from sfumato.schema.quantities import TimeColumn as TimeColumn
from sfumato.schema.schema import Schema as Schema
from sfumato.schema.sources import Review as Review
