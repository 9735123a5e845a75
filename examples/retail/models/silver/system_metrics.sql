select occurred_at, host, service, metric, value, labels['region'] as region
from new(bronze.system_metrics)
