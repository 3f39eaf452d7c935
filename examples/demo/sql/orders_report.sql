-- What was sold on each day, from the table that the job orders_to_reports writes.
SELECT date_trunc('day', ordered_at) AS day, count(*) AS orders, sum(amount) AS revenue
  FROM reports.orders
 GROUP BY 1
 ORDER BY 1
