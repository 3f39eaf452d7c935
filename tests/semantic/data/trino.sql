-- basic-all-measure-types
SELECT
  COUNT("customers".id) AS "customers__count",
  COUNT(CASE WHEN "customers".vip = TRUE THEN "customers".id END) AS "customers__vip_count",
  SUM("customers".credit) AS "customers__total_credit",
  AVG("customers".credit) AS "customers__avg_credit",
  MIN("customers".credit) AS "customers__min_credit",
  MAX("customers".credit) AS "customers__max_credit",
  COUNT(DISTINCT "customers".city) AS "customers__cities",
  1.0 * COUNT(CASE WHEN "customers".vip = TRUE THEN "customers".id END) / NULLIF(COUNT("customers".id), 0) AS "customers__vip_share"
FROM customers AS "customers"
LIMIT 10000
-- []

-- d-inDateRange-tz
SELECT
  "orders".id AS "orders__id"
FROM orders AS "orders"
WHERE
  (
    "orders".placed_at >= FROM_ISO8601_TIMESTAMP(?)
    AND "orders".placed_at <= FROM_ISO8601_TIMESTAMP(?)
  )
GROUP BY
  1
ORDER BY
  1 ASC
LIMIT 10000
-- ['2024-01-31T05:00:00.000Z', '2024-02-01T04:59:59.999Z']

-- f-gt
SELECT
  "customers".name AS "customers__name"
FROM customers AS "customers"
WHERE
  (
    "customers".credit > CAST(? AS DECIMAL(38, 10))
  )
GROUP BY
  1
ORDER BY
  1 ASC
LIMIT 10000
-- ['75']

-- f-notContains
SELECT
  "customers".name AS "customers__name"
FROM customers AS "customers"
WHERE
  (
    NOT LOWER("customers".city) LIKE LOWER(?) ESCAPE '\' OR "customers".city IS NULL
  )
GROUP BY
  1
ORDER BY
  1 ASC
LIMIT 10000
-- ['%O%']

-- f-or-and-nested
SELECT
  "customers".name AS "customers__name"
FROM customers AS "customers"
WHERE
  (
    (
      "customers".city = ?
    )
    OR (
      (
        "customers".city = ?
      ) AND (
        "customers".vip = CAST(? AS BOOLEAN)
      )
    )
  )
GROUP BY
  1
ORDER BY
  1 ASC
LIMIT 10000
-- ['Leeds', 'Lyon', 'false']

-- j-fanout-total-limit
SELECT
  "q_0"."customers__name" AS "customers__name",
  "q_1"."orders__shipping_total" AS "orders__shipping_total",
  "q_0"."order_items__units" AS "order_items__units"
FROM (
  SELECT
    "customers".name AS "customers__name",
    SUM("order_items".quantity) AS "order_items__units"
  FROM orders AS "orders"
  LEFT JOIN order_items AS "order_items"
    ON "orders".id = "order_items".order_id
  LEFT JOIN customers AS "customers"
    ON "orders".customer_id = "customers".id
  GROUP BY
    1
) AS "q_0"
JOIN (
  SELECT
    "customers".name AS "customers__name",
    SUM("orders".shipping) AS "orders__shipping_total"
  FROM orders AS "orders"
  LEFT JOIN customers AS "customers"
    ON "orders".customer_id = "customers".id
  GROUP BY
    1
) AS "q_1"
  ON COALESCE(CAST("q_0"."customers__name" AS VARCHAR), '') = COALESCE(CAST("q_1"."customers__name" AS VARCHAR), '')
  AND "q_0"."customers__name" IS NOT DISTINCT FROM "q_1"."customers__name"
ORDER BY
  2 DESC NULLS FIRST
LIMIT 2
-- []

-- j-ratio-across-fanout-filter
SELECT
  "q_0"."orders__status" AS "orders__status",
  "q_1"."orders__shipping_total" / NULLIF("q_0"."order_items__units", 0) AS "order_items__shipping_per_unit"
FROM (
  SELECT
    "orders".status AS "orders__status",
    SUM("order_items".quantity) AS "order_items__units"
  FROM orders AS "orders"
  LEFT JOIN order_items AS "order_items"
    ON "orders".id = "order_items".order_id
  GROUP BY
    1
) AS "q_0"
JOIN (
  SELECT
    "orders".status AS "orders__status",
    SUM("orders".shipping) AS "orders__shipping_total"
  FROM orders AS "orders"
  GROUP BY
    1
) AS "q_1"
  ON COALESCE(CAST("q_0"."orders__status" AS VARCHAR), '') = COALESCE(CAST("q_1"."orders__status" AS VARCHAR), '')
  AND "q_0"."orders__status" IS NOT DISTINCT FROM "q_1"."orders__status"
WHERE
  (
    (
      "q_1"."orders__shipping_total" / NULLIF("q_0"."order_items__units", 0)
    ) > CAST(? AS DECIMAL(38, 10))
  )
ORDER BY
  1 ASC
LIMIT 10000
-- ['0.4']

-- order-by-nulls-desc
SELECT
  "customers".city AS "customers__city"
FROM customers AS "customers"
GROUP BY
  1
ORDER BY
  1 DESC NULLS FIRST
LIMIT 10000
-- []

-- page-offset-beyond
SELECT
  "order_items".id AS "order_items__id",
  SUM("order_items".quantity * "order_items".unit_price) AS "order_items__revenue"
FROM order_items AS "order_items"
GROUP BY
  1
ORDER BY
  1 ASC
OFFSET 400
LIMIT 3
-- []

-- roll-trailing
SELECT
  "q_0"."orders__placed_at_month" AS "orders__placed_at_month",
  "q_1"."orders__trailing_month_shipping" AS "orders__trailing_month_shipping",
  "q_2"."orders__previous_month_shipping" AS "orders__previous_month_shipping",
  "q_0"."orders__shipping_total" AS "orders__shipping_total"
FROM (
  SELECT
    DATE_TRUNC(
      'MONTH',
      CAST(AT_TIMEZONE(CAST("orders".placed_at AS TIMESTAMP(6) WITH TIME ZONE), 'UTC') AS TIMESTAMP(6))
    ) AS "orders__placed_at_month",
    SUM("orders".shipping) AS "orders__shipping_total"
  FROM orders AS "orders"
  WHERE
    (
      "orders".placed_at >= FROM_ISO8601_TIMESTAMP(?)
      AND "orders".placed_at <= FROM_ISO8601_TIMESTAMP(?)
    )
  GROUP BY
    1
) AS "q_0"
JOIN (
  SELECT
    "series"."date_from" AS "orders__placed_at_month",
    SUM("base"."orders__trailing_month_shipping") AS "orders__trailing_month_shipping"
  FROM (
    SELECT
      date_from,
      date_from + INTERVAL '1' MONTH - INTERVAL '0.001' SECOND AS date_to
    FROM (
      SELECT
        date_from
      FROM UNNEST(SEQUENCE(
        CAST(FROM_ISO8601_TIMESTAMP('2024-01-01T00:00:00') AS TIMESTAMP(6)),
        CAST(FROM_ISO8601_TIMESTAMP('2024-05-01T00:00:00') AS TIMESTAMP(6)),
        INTERVAL '1' MONTH
      )) AS s(date_from)
    ) AS starts
  ) AS "series"
  LEFT JOIN (
    SELECT
      DATE_TRUNC(
        'MONTH',
        CAST(AT_TIMEZONE(CAST("orders".placed_at AS TIMESTAMP(6) WITH TIME ZONE), 'UTC') AS TIMESTAMP(6))
      ) AS "orders__placed_at_month",
      SUM("orders".shipping) AS "orders__trailing_month_shipping"
    FROM orders AS "orders"
    WHERE
      (
        CAST(AT_TIMEZONE(CAST("orders".placed_at AS TIMESTAMP(6) WITH TIME ZONE), 'UTC') AS TIMESTAMP(6)) > CAST(FROM_ISO8601_TIMESTAMP(?) AS TIMESTAMP(6)) - INTERVAL '1' MONTH
      )
      AND (
        CAST(AT_TIMEZONE(CAST("orders".placed_at AS TIMESTAMP(6) WITH TIME ZONE), 'UTC') AS TIMESTAMP(6)) <= CAST(FROM_ISO8601_TIMESTAMP(?) AS TIMESTAMP(6))
      )
    GROUP BY
      1
  ) AS "base"
    ON "base"."orders__placed_at_month" > "series"."date_to" - INTERVAL '1' MONTH
    AND "base"."orders__placed_at_month" <= "series"."date_to"
  GROUP BY
    1
) AS "q_1"
  ON COALESCE(CAST("q_0"."orders__placed_at_month" AS VARCHAR), '') = COALESCE(CAST("q_1"."orders__placed_at_month" AS VARCHAR), '')
  AND "q_0"."orders__placed_at_month" IS NOT DISTINCT FROM "q_1"."orders__placed_at_month"
JOIN (
  SELECT
    "series"."date_from" AS "orders__placed_at_month",
    SUM("base"."orders__previous_month_shipping") AS "orders__previous_month_shipping"
  FROM (
    SELECT
      date_from,
      date_from + INTERVAL '1' MONTH - INTERVAL '0.001' SECOND AS date_to
    FROM (
      SELECT
        date_from
      FROM UNNEST(SEQUENCE(
        CAST(FROM_ISO8601_TIMESTAMP('2024-01-01T00:00:00') AS TIMESTAMP(6)),
        CAST(FROM_ISO8601_TIMESTAMP('2024-05-01T00:00:00') AS TIMESTAMP(6)),
        INTERVAL '1' MONTH
      )) AS s(date_from)
    ) AS starts
  ) AS "series"
  LEFT JOIN (
    SELECT
      DATE_TRUNC(
        'MONTH',
        CAST(AT_TIMEZONE(CAST("orders".placed_at AS TIMESTAMP(6) WITH TIME ZONE), 'UTC') AS TIMESTAMP(6))
      ) AS "orders__placed_at_month",
      SUM("orders".shipping) AS "orders__previous_month_shipping"
    FROM orders AS "orders"
    WHERE
      (
        CAST(AT_TIMEZONE(CAST("orders".placed_at AS TIMESTAMP(6) WITH TIME ZONE), 'UTC') AS TIMESTAMP(6)) >= CAST(FROM_ISO8601_TIMESTAMP(?) AS TIMESTAMP(6)) - INTERVAL '1' MONTH
      )
      AND (
        CAST(AT_TIMEZONE(CAST("orders".placed_at AS TIMESTAMP(6) WITH TIME ZONE), 'UTC') AS TIMESTAMP(6)) < CAST(FROM_ISO8601_TIMESTAMP(?) AS TIMESTAMP(6))
      )
    GROUP BY
      1
  ) AS "base"
    ON "base"."orders__placed_at_month" >= "series"."date_from" - INTERVAL '1' MONTH
    AND "base"."orders__placed_at_month" < "series"."date_from"
  GROUP BY
    1
) AS "q_2"
  ON COALESCE(CAST("q_0"."orders__placed_at_month" AS VARCHAR), '') = COALESCE(CAST("q_2"."orders__placed_at_month" AS VARCHAR), '')
  AND "q_0"."orders__placed_at_month" IS NOT DISTINCT FROM "q_2"."orders__placed_at_month"
ORDER BY
  1 ASC
LIMIT 10000
-- ['2024-01-01T00:00:00.000Z', '2024-05-31T23:59:59.999Z', '2024-01-01T00:00:00.000', '2024-05-31T23:59:59.999', '2024-01-01T00:00:00.000', '2024-05-31T23:59:59.999']

-- sq-filter
SELECT
  "orders".id AS "orders__id"
FROM orders AS "orders"
LEFT JOIN (
  SELECT
    "orders".id AS "key_0",
    SUM("order_items".quantity * "order_items".unit_price) AS "value"
  FROM orders AS "orders"
  LEFT JOIN order_items AS "order_items"
    ON "orders".id = "order_items".order_id
  GROUP BY
    1
) AS "orders__items_revenue"
  ON "orders__items_revenue"."key_0" = "orders".id
WHERE
  (
    "orders__items_revenue"."value" > CAST(? AS DECIMAL(38, 10))
  )
GROUP BY
  1
ORDER BY
  1 ASC
LIMIT 10000
-- ['80']

-- t-tz-month-shift
SELECT
  DATE_TRUNC(
    'MONTH',
    CAST(AT_TIMEZONE(CAST("orders".placed_at AS TIMESTAMP(6) WITH TIME ZONE), 'America/Los_Angeles') AS TIMESTAMP(6))
  ) AS "orders__placed_at_month",
  COUNT("orders".id) AS "orders__count"
FROM orders AS "orders"
WHERE
  (
    "orders".placed_at >= FROM_ISO8601_TIMESTAMP(?)
    AND "orders".placed_at <= FROM_ISO8601_TIMESTAMP(?)
  )
GROUP BY
  1
ORDER BY
  1 ASC
LIMIT 10000
-- ['2023-12-01T08:00:00.000Z', '2025-01-01T07:59:59.999Z']
