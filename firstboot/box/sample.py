"""A thing that the box counts or measures, in Prometheus's text format (Exposition formats, version
0.0.4)."""

from dataclasses import dataclass

Value = int | float
Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Sample:
    name: str
    value: Value
    labels: Labels = ()

    def __str__(self) -> str:
        labels = ",".join(f'{name}="{value}"' for name, value in self.labels)
        value = str(self.value).replace("inf", "Inf")
        return f"{self.name}{{{labels}}} {value}" if labels else f"{self.name} {value}"
