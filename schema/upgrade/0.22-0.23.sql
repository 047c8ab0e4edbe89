-- 0.22-0.23.sql — stock's step from release 0.22 to 0.23: get_project_data differs, nothing else. project_data.sql follows.

DROP FUNCTION public.get_project_data(text);
UPDATE public.configuration SET version = '0.23' WHERE id = 1;
