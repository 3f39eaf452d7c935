SELECT ship, CAST(sum(containers) AS bigint) AS containers, '{{ harbour }}' AS harbour
FROM {{ df_1 }}
GROUP BY ship
