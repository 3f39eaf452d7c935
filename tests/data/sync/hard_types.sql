-- 29 PostgreSQL types that break loaders, with the values that break them (NaN, infinities, BC dates,
-- NULLs, empty arrays and strings). The xml column stays empty: the embedded server has no libxml.
DROP TABLE IF EXISTS hard;
CREATE TYPE mood AS ENUM ('sad','ok');
CREATE TABLE hard(id int primary key, n152 numeric(15,2), n3015 numeric(30,15), nfree numeric, n389 numeric(38,9), n50 numeric(50,10),
 ts timestamp, tz timestamptz, d date, t time, ttz timetz, iv interval, u uuid, j json, jb jsonb, b bytea, ia int[], ta text[], ia2 int[][], i inet, r int4range, p point, m money, bit5 bit(5), e text, c char(5), f4 real, f8 float8, x xml, o oid, h mood);
INSERT INTO hard VALUES
(1,1.25,1.123456789012345,1.1234567890123456789012345,123456789.123456789,1234567890123456789012345678901234567890.1234567890,'2024-01-01 10:00:00.123456','2024-01-01 10:00:00.123456+02','2024-02-29','10:11:12.5','10:11:12+03','1 mon 2 days 03:04:05','11111111-1111-4111-a111-111111111111','{"a":1}','{"b":[1,2,{"c":"ż"}]}','\\xdeadbeef','{1,NULL,3}','{a,"b,c",NULL}','{{1,2},{3,4}}','10.0.0.1/8','[1,5)','(1,2)','12.34',B'10101','ż','ab',1.5,'NaN',NULL,42,'sad'),
(2,'NaN',NULL,'NaN',NULL,NULL,'infinity','-infinity','infinity',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'infinity','-infinity',NULL,NULL,'ok'),
(3,NULL,NULL,0.1,NULL,NULL,'0044-03-15 00:00:00 BC',NULL,'4713-01-01 BC',NULL,NULL,NULL,NULL,NULL,NULL,'','{}','{}',NULL,NULL,NULL,NULL,NULL,NULL,'',NULL,NULL,NULL,NULL,NULL,NULL);
