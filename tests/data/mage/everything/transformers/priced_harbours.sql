-- df_1 is written to a table by the block's own run, df_2 is one already.
SELECT h.name, h.berths, r.rate, '{{ currency }}' AS currency
FROM {{ df_1 }} AS r
JOIN {{ df_2 }} AS h ON h.name = r.harbour
WHERE r.rate >= {{ min_rate }}
