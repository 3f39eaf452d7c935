-- No upstream block; not raw: the result becomes the table <schema>.sql_blocks_harbours_v1.
SELECT * FROM (VALUES ('Oslo', 4), ('Bergen', 6), ('Moss', 1)) AS harbour (name, berths)
